package introspect

import (
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

func TestEV1_ATombstoneCoversWhatLeftBeforeItOnly(t *testing.T) {
	var g tombstones
	g.bury([]mark{1})
	if g.count() != 0 {
		t.Error("nothing is under way, and there is a tombstone")
	}
	early := g.depart()
	g.bury([]mark{1, 2})
	late := g.depart()
	g.bury([]mark{3})
	for _, c := range []struct {
		d     departure
		marks []mark
		want  bool
	}{
		{early, []mark{2, 7, 1}, true}, {early, []mark{1}, false}, {early, []mark{3}, true}, {early, nil, false},
		{late, []mark{1, 2}, false}, {late, []mark{3}, true},
	} {
		if got := g.cover(c.d, c.marks); got != c.want {
			t.Errorf("departure %d with %v: covered %t", c.d.number(), c.marks, got)
		}
	}
	g.land(early)
	if g.count() != 1 {
		t.Errorf("%d tombstones are left", g.count())
	}
	g.land(late)
	if g.count() != 0 {
		t.Errorf("%d tombstones are left", g.count())
	}
}

func TestEV1_TooManyTombstonesBecomeOneForAll(t *testing.T) {
	var g tombstones
	early := g.depart()
	for n := range mark(maxGraves + 1) {
		g.bury([]mark{n})
	}
	late := g.depart()
	if !g.cover(early, []mark{1 << 40}) || g.cover(late, []mark{1}) || g.count() != 1 {
		t.Errorf("early %t, late %t, %d tombstones", g.cover(early, nil), g.cover(late, nil), g.count())
	}
	g.land(early)
	if g.count() != 0 || g.cover(late, []mark{1}) {
		t.Error("it outlives the last question that left before it")
	}
	g.land(late)
}

func TestEV1_RevocationsAreForgottenAfterTheirTime(t *testing.T) {
	r, now := newRevoked(time.Hour), time.Now()
	r.add([]mark{1}, 100, now)
	r.add(nil, 50, now)
	r.add([]mark{1}, 90, now.Add(time.Minute)) // the same once more, which keeps it longer and makes it no smaller
	late := now.Add(time.Hour)
	if !r.has([]mark{1}, 100, late) || r.has([]mark{1}, 101, late) || r.has([]mark{2}, 50, late) {
		t.Error("remembered for another time, or of another one")
	}
	if !r.has([]mark{2}, 50, late.Add(-1)) || r.has([]mark{2}, 51, now) {
		t.Error("all are not all")
	}
	late = late.Add(time.Minute)
	if r.has([]mark{1}, 1, late) {
		t.Error("never forgotten")
	}
	r.sweep(late)
	if r.count() != 0 || len(r.byMark) != 0 {
		t.Errorf("%d are left", r.count())
	}
}

func TestEV1_TooManyRevocationsRaiseTheFloorAndRefuseNobodyNewer(t *testing.T) {
	r, now := newRevoked(time.Hour), time.Now()
	r.most = 10
	start := authz.At(now)
	for n := range 15 {
		at := now.Add(time.Duration(n) * time.Second)
		r.add([]mark{mark(n + 1)}, authz.At(at), at)
	}
	end := now.Add(15 * time.Second)
	if r.arrived.Len() != 10 || len(r.byMark) != 10 {
		t.Errorf("%d are remembered", r.arrived.Len())
	}
	for n := range 15 {
		if !r.has([]mark{mark(n + 1)}, start+authz.Time(n), end) {
			t.Errorf("revocation %d is forgotten", n)
		}
	}
	if !r.has([]mark{99}, start+4, end) || r.has([]mark{99}, start+5, end) || !r.has([]mark{99}, 0, end) {
		t.Error("the floor is not where the last that was forgotten was")
	}
}

func TestEV1_WithoutAMemoryNothingIsRemembered(t *testing.T) {
	r, now := newRevoked(0), time.Now()
	r.add([]mark{1}, always, now)
	r.add(nil, always, now)
	if r.has([]mark{1}, 0, now) || r.count() != 0 {
		t.Error("remembered")
	}
}
