//go:build bench

package bench

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/engine"
)

// report is everything that was measured.
type report struct {
	effort           effort
	floor            *target
	pairs            []pair
	sharedPace       float64 // requests a second
	written, dropped int     // events of the decision log
	first, reload    []time.Duration
	memory           usage
}

// pair is the two servers that do the same work by the same policy.
type pair struct {
	policy    string
	opa, side *target
}

// markdown is what "make bench" prints.
func (r report) markdown() string {
	var b strings.Builder
	opa, _ := engine.Versions()
	fmt.Fprintf(&b, "%s/%s, %s, OPA %s, %d processors shared with the load generator; medians of %d interleaved "+
		"runs of %s.\n",
		runtime.GOOS, runtime.GOARCH, runtime.Version(), opa, runtime.NumCPU(), r.effort.rounds, r.effort.each)
	peaks(&b, r.targets())
	r.ratios(&b)
	r.paces(&b)
	r.extras(&b)
	return b.String()
}

func (r report) targets() []*target {
	out := []*target{r.floor}
	for _, p := range r.pairs {
		out = append(out, p.opa, p.side)
	}
	return out
}

func peaks(b *strings.Builder, targets []*target) {
	fmt.Fprintf(b, "\n| server | requests/s | CPU us/request | p50 us (1 connection) | p50 us (%d) | p99 us (%[1]d) "+
		"| RSS MiB | highest |\n", connections)
	fmt.Fprintf(b, "|---|---|---|---|---|---|---|---|\n")
	for _, s := range targets {
		fmt.Fprintf(b, "| %s | %.0f | %.1f | %.0f | %.0f | %.0f | %.0f | %.0f |\n", s.name,
			median(s.runs, run.throughput), median(s.runs, run.processor),
			median(s.runs, func(r run) float64 { return micros(r.single) }),
			median(s.runs, func(r run) float64 { return micros(r.p50) }),
			median(s.runs, func(r run) float64 { return micros(r.p99) }),
			median(s.runs, func(r run) float64 { return r.rss }), s.runs[len(s.runs)-1].peak)
	}
}

func (r report) ratios(b *strings.Builder) {
	fmt.Fprintf(b, "\n| ratio | requests/s, sidecar / OPA | CPU a request, OPA / sidecar | CPU a request, floor / "+
		"sidecar |\n|---|---|---|---|\n")
	for _, p := range r.pairs {
		fmt.Fprintf(b, "| %s | %.2f | %.2f | %.2f |\n", p.policy, ratio(p.side, p.opa, run.throughput),
			ratio(p.opa, p.side, run.processor), ratio(r.floor, p.side, run.processor))
	}
}

func (r report) paces(b *strings.Builder) {
	fmt.Fprintf(b, "\n| server | p99 us at %.0f %% of its own peak | p99 us at %.0f requests/s (%.0f %% of OPA's "+
		"peak, shipped policies) |\n|---|---|---|\n", 100*share, r.sharedPace, 100*share)
	for _, s := range r.targets() {
		fmt.Fprintf(b, "| %s | %.0f | %.0f |\n", s.name,
			median(s.paced, func(p paced) float64 { return micros(p.own) }),
			median(s.paced, func(p paced) float64 { return micros(p.shared) }))
	}
}

func (r report) extras(b *strings.Builder) {
	millis := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	fmt.Fprintf(b, "\n| sidecar | |\n|---|---|\n")
	fmt.Fprintf(b, "| RSS with %d cached tokens, %d bytes of claims each | %.0f MiB (highest %.0f, before the first "+
		"%.0f) |\n", cached, r.memory.answer, r.memory.now, r.memory.peak, r.memory.fresh)
	fmt.Fprintf(b, "| start of the process to its first decision | %.0f ms |\n", median(r.first, millis))
	fmt.Fprintf(b, "| an edit of %d rules on disk to serving, debounce included | %.0f ms |\n", rules,
		median(r.reload, millis))
	fmt.Fprintf(b, "| events of the decision log written, dropped | %d, %d |\n", r.written, r.dropped)
}

// ratio is the median of what a has, round by round, for each of what b has: neighbours in time saw the same machine.
func ratio(a, b *target, of func(run) float64) float64 {
	ratios := make([]float64, len(a.runs))
	for i := range a.runs {
		ratios[i] = of(a.runs[i]) / of(b.runs[i])
	}
	return median(ratios, func(r float64) float64 { return r })
}

// median is the middle of what of finds in all.
func median[T any](all []T, of func(T) float64) float64 {
	values := make([]float64, len(all))
	for i, v := range all {
		values[i] = of(v)
	}
	slices.SortFunc(values, cmp.Compare)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
