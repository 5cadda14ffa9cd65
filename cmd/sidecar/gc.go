package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// headroom is how much the heap may grow between two collections at the least. A sidecar with few tokens lives in some
// 5 MB: collecting each time that doubles costs a quarter of its CPU under load, and the memory saved is not worth it.
const headroom = 32 << 20

// defaultPercent is Go's default for GOGC.
const defaultPercent = 100

// paceCollections keeps the headroom while the heap is small and is Go's own pace when it is large, until ctx ends.
// GOGC and GOMEMLIMIT, when they are set, win.
func paceCollections(ctx context.Context) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	var idle idleness
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	set := defaultPercent
	for {
		metrics.Read(live)
		if want := percentFor(live[0].Value.Uint64()); differs(want, set) {
			debug.SetGCPercent(want)
			set = want
		}
		if idle.begins(readHeap()) {
			debug.FreeOSMemory()
			_ = releaseProgram() // which a system may refuse
		}
		select {
		case <-ctx.Done():
			debug.SetGCPercent(defaultPercent)
			return
		case <-tick.C:
		}
	}
}

// percentFor returns the GOGC that leaves a live heap of so many bytes its headroom.
func percentFor(live uint64) int {
	const least = 4 << 20 // Go lets a heap grow to 4 MB times GOGC/100 in any case
	return max(defaultPercent, int(headroom*100/max(live, least)))
}

// differs reports whether a change is worth the moment that setting it stops the world.
func differs(want, set int) bool { return want*10 < set*9 || want*9 > set*10 }
