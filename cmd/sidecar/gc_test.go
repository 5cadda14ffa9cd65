package main

import (
	"runtime/debug"
	"testing"
)

func TestHeadroomFollowsWhatIsAllocated(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		why              string
		live, rate, want uint64
	}{
		{"at rest", 5 * mb, 0, 32 * mb},
		{"few requests", 5 * mb, 10 * mb, 32 * mb},
		{"full load", 5 * mb, 120 * mb, 32 * mb},
		{"full load and more", 5 * mb, 1000 * mb, 32 * mb},
		{"half of that, a few tokens more", 10 * mb, 60 * mb, 22 * mb},
		{"tokens are asked about", 24 * mb, 45 * mb, 9 * mb},
		{"many tokens, at rest", 32 * mb, 0, 8 * mb},
		{"full load with many tokens", 24 * mb, 120 * mb, 24 * mb},
		{"much is alive, at rest", 400 * mb, 0, 100 * mb},
		{"much is alive, under load", 400 * mb, 120 * mb, 400 * mb},
		{"much is alive, few requests", 160 * mb, 30 * mb, 40 * mb},
	} {
		if got := headroomFor(c.live, c.rate); got != c.want {
			t.Errorf("%s: headroom %d, want %d", c.why, got, c.want)
		}
	}
}

func TestPercentLeavesTheHeadroom(t *testing.T) {
	for live, want := range map[uint64]int{0: 800, 1 << 20: 800, 4 << 20: 800, 16 << 20: 200, 32 << 20: 100,
		1 << 30: 3} {
		if got := percentFor(live, headroom); got != want {
			t.Errorf("%d bytes live: GOGC %d, want %d", live, got, want)
		}
	}
	if differs(105, 100) || differs(100, 105) || !differs(200, 100) || !differs(100, 200) {
		t.Error("small changes count, or large ones do not")
	}
}

func TestWorkThatRunsAsideHasRoomUntilACollection(t *testing.T) {
	const mb = 1 << 20
	p := &pacer{room: 20 * mb, until: 50 * mb, cycles: 7}
	for _, c := range []struct {
		why  string
		now  heapUse
		want uint64
	}{
		{"the work goes on", heapUse{live: 10 * mb, cycles: 7}, 40 * mb},
		{"requests need more", heapUse{live: 35 * mb, cycles: 7}, 20 * mb},
		{"more is alive than the heap may grow to", heapUse{live: 60 * mb, cycles: 7}, 20 * mb},
		{"a collection has been", heapUse{live: 10 * mb, cycles: 8}, 20 * mb},
	} {
		if got := p.wanted(c.now); got != c.want {
			t.Errorf("%s: room for %d, want %d", c.why, got, c.want)
		}
	}
}

func TestRoomIsMadeAboveWhatTheHeapHolds(t *testing.T) {
	for now, want := range map[heapUse]uint64{
		{objects: 20 << 20, live: 10 << 20}: 20<<20 + workRoom,
		{objects: 70 << 20, live: 10 << 20}: 10<<20 + mostRoom,
	} {
		if got := roomFor(now); got != want {
			t.Errorf("%+v: may grow to %d, want %d", now, got, want)
		}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(defaultPercent))
	p := &pacer{set: 1}
	p.makeRoom()
	if p.until == 0 || p.set == 1 {
		t.Errorf("no room is made: to %d, GOGC %d", p.until, p.set)
	}
	off := &pacer{off: true, set: defaultPercent}
	if off.makeRoom(); off.until != 0 {
		t.Error("room is made where GOGC or GOMEMLIMIT is set")
	}
}
