package main

import "testing"

func TestMemoryIsGivenBackOnceAProcessIsAtRest(t *testing.T) {
	var i idleness
	const mib = 1 << 20
	at := func(allocated, held, live uint64) heapUse {
		return heapUse{allocated: allocated * mib, held: held * mib, live: live * mib}
	}
	for n, step := range []struct {
		use  heapUse
		want bool
	}{
		{at(50, 40, 10), false}, // started
		{at(50, 40, 10), false}, // 1 s at rest
		{at(51, 40, 10), false}, // 2 s
		{at(51, 40, 10), true},  // 3 s
		{at(51, 40, 10), false}, // nothing since
		{at(55, 40, 10), false}, // not at rest
		{at(55, 40, 10), false},
		{at(55, 40, 10), false},
		{at(55, 40, 10), false},  // too little since
		{at(100, 60, 10), false}, // a reload
		{at(100, 60, 10), false},
		{at(100, 60, 10), false},
		{at(100, 60, 10), true},
		{at(100, 30, 10), false},
		{at(200, 60, 55), false}, // what was alive at the last collection may not be any more
		{at(200, 60, 55), false},
		{at(200, 60, 55), false},
		{at(200, 60, 55), true},
		{at(220, 60, 55), false}, // all of it is alive
		{at(220, 60, 55), false},
		{at(220, 60, 55), false},
		{at(220, 60, 55), false},
		{at(320, 520, 400), false}, // much is alive, and much is held beyond it
		{at(320, 520, 400), false},
		{at(320, 520, 400), false},
		{at(320, 520, 400), true},
		{at(321, 420, 400), false}, // few requests
		{at(340, 520, 400), false},
		{at(340, 520, 400), false},
		{at(340, 520, 400), false},
		{at(340, 520, 400), false}, // 18 MiB do not pay for a collection of 400
		{at(600, 800, 500), false},
		{at(600, 800, 500), false},
		{at(600, 800, 500), false},
		{at(600, 800, 500), true},
		{at(600, 500, 500), false},
		{at(1200, 520, 100), false}, // less is alive than when memory was last given back
		{at(1200, 520, 100), false},
		{at(1200, 520, 100), false},
		{at(1200, 520, 100), true},
	} {
		if got := i.begins(step.use); got != step.want {
			t.Errorf("step %d: %v, want %v", n, got, step.want)
		}
	}
	if u := readHeap(); u.allocated == 0 || u.held == 0 || u.held > 1<<40 {
		t.Errorf("%+v", u)
	}
}
