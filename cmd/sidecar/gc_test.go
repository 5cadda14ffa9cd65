package main

import "testing"

func TestHeadroomIsKeptWhileTheHeapIsSmall(t *testing.T) {
	for live, want := range map[uint64]int{0: 800, 1 << 20: 800, 4 << 20: 800, 16 << 20: 200, 32 << 20: 100,
		1 << 30: 100} {
		if got := percentFor(live); got != want {
			t.Errorf("%d bytes live: GOGC %d, want %d", live, got, want)
		}
	}
	if differs(105, 100) || differs(100, 105) || !differs(200, 100) || !differs(100, 200) {
		t.Error("small changes count, or large ones do not")
	}
}
