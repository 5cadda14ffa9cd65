package introspect

import "testing"

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
