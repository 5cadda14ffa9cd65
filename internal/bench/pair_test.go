//go:build bench

package bench

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestPair measures the sidecar of this tree against another build of it, in alternating runs: what a change costs.
//
//	make bench-pair OTHER=/path/to/sidecar
//
// OTHER runs on the same small policy, and on the shipped policies of the tree that BENCH_OTHER_POLICIES names, by
// default this one. The test fails never because of a figure.
func TestPair(t *testing.T) {
	other := os.Getenv("BENCH_OTHER")
	if other == "" {
		t.Fatal("BENCH_OTHER names no program: make bench-pair OTHER=/path/to/sidecar")
	}
	e := efforts(t)
	w := newWorld(t)
	w.native = true
	program := buildSidecar(t)
	var b strings.Builder
	fmt.Fprintf(&b, "\n| policy | requests/s, this / other | CPU a request, this / other | p50 us (1 connection), "+
		"this / other |\n|---|---|---|---|\n")
	for _, p := range []policy{w.small, w.shipped} {
		old := policy{p.name, p.dir}
		if p == w.shipped {
			old.dir = cmp.Or(os.Getenv("BENCH_OTHER_POLICIES"), p.dir)
		}
		this, that := startSidecar(t, program, w, setup{policy: p}).target,
			startSidecar(t, other, w, setup{policy: old}).target
		for _, s := range []*target{this, that} {
			s.connect(t)
			measure(t, s, min(e.each, 2*time.Second))
		}
		for i := range e.rounds {
			pair := []*target{this, that}
			if i%2 == 1 {
				pair[0], pair[1] = that, this
			}
			for _, s := range pair {
				s.runs = append(s.runs, measure(t, s, e.each))
			}
		}
		fmt.Fprintf(&b, "| %s | %.3f | %.3f | %.3f |\n", p.name, ratio(this, that, run.throughput),
			ratio(this, that, run.processor),
			ratio(this, that, func(r run) float64 { return micros(r.single) }))
		for _, s := range []*target{this, that} {
			closeAll(s.many)
			s.proc.stop()
		}
	}
	t.Log(b.String())
}
