package testkit

import (
	"runtime"
	"testing"
)

// WithinAllocations fails t when a call of f allocates more than budget times, on average. Under the race detector,
// which allocates too, f is called and nothing is counted: "make test" runs without it, and so counts.
func WithinAllocations(t testing.TB, budget float64, f func()) {
	t.Helper()
	if got := testing.AllocsPerRun(1000, f); got > budget && !race {
		t.Errorf("%v allocations, want %v at most", got, budget)
	}
}

// Allocated is the memory that f allocates, in bytes, whether it is kept or not.
func Allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Heap is the memory in use after collecting, in bytes.
func Heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools let go of
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
