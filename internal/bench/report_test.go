//go:build bench

package bench

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// report is everything that was measured.
type report struct {
	effort           effort
	field            *field
	pace             paces
	written, dropped int // events of the decision log
	mismatches       int // of remembered verdicts
	first, reload    []time.Duration
	memory           usage
	loaded           reloading
	cold             []crowd
	replayed         []float64 // decisions a second
}

// markdown is what "make bench" prints.
func (r report) markdown() string {
	var b strings.Builder
	opa, _ := engine.Versions()
	fmt.Fprintf(&b, "%s/%s, %s, OPA %s, %d processors shared with the load generator; medians of %d interleaved "+
		"runs of %s.\n\n",
		runtime.GOOS, runtime.GOARCH, runtime.Version(), opa, runtime.NumCPU(), r.effort.rounds, r.effort.each)
	r.bars(&b)
	r.peaks(&b)
	r.paces(&b)
	r.extras(&b)
	return b.String()
}

func (r report) peaks(b *strings.Builder) {
	fmt.Fprintf(b, "\n| server | requests/s | CPU us/request | floor's CPU / its | requests/s, its / OPA's | "+
		"p50 us (1 connection) | p50 us (%d) | p99 us (%[1]d) | p99.9 us (%[1]d) | RSS MiB | highest |\n", connections)
	fmt.Fprintf(b, "|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, s := range r.field.targets() {
		fmt.Fprintf(b, "| %s | %.0f | %.1f | %.2f | %.2f | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f |\n", s.name,
			median(s.runs, run.throughput), median(s.runs, run.processor),
			ratio(r.field.post, s, run.processor), ratio(s, r.field.opa, run.throughput),
			median(s.runs, func(r run) float64 { return micros(r.single) }),
			median(s.runs, func(r run) float64 { return micros(r.p50) }),
			median(s.runs, func(r run) float64 { return micros(r.p99) }),
			median(s.runs, func(r run) float64 { return micros(r.p999) }),
			median(s.runs, func(r run) float64 { return r.rss }), s.runs[len(s.runs)-1].peak)
	}
}

func (r report) paces(b *strings.Builder) {
	const part = 100 * share
	fmt.Fprintf(b, "\n| server | p99 us at %.0f %% of its own peak | p99 us at %.0f requests/s (%.0f %% of OPA's "+
		"peak) | p99 us at %.0f requests/s (%.0f %% of the sidecar's peak, small policy, remembered) |\n"+
		"|---|---|---|---|\n", part, r.pace.opa, part, r.pace.sidecar, part)
	for _, s := range r.field.paced() {
		fmt.Fprintf(b, "| %s | %.0f | %.0f | %.0f |\n", s.name, median(s.paced, paced.ownMicros),
			median(s.paced, paced.opaMicros), median(s.paced, paced.sidecarMicros))
	}
}

func (r report) extras(b *strings.Builder) {
	fmt.Fprintf(b, "\n| sidecar | |\n|---|---|\n")
	fmt.Fprintf(b, "| RSS with %d cached tokens, %d bytes of claims each | %.0f MiB, at rest %.0f (highest %.0f, before "+
		"the first %.0f) |\n", cached, r.memory.answer, r.memory.now, r.memory.rest, r.memory.peak, r.memory.fresh)
	fmt.Fprintf(b, "| start of the process to its first decision | %.0f ms |\n", median(r.first, millis))
	fmt.Fprintf(b, "| an edit of %d rules on disk to serving, debounce included | %.0f ms |\n", rules,
		median(r.reload, millis))
	fmt.Fprintf(b, "| p99 at %.0f requests/s before, and during %d reloads | %.0f us, %.0f us |\n", r.loaded.rate,
		r.loaded.reloads, micros(r.loaded.before), micros(r.loaded.during))
	fmt.Fprintf(b, "| %d callers with a cold token, issuer %s late: questions, slowest | %.0f, %.0f ms |\n", callers,
		late, median(r.cold, func(c crowd) float64 { return float64(c.questions) }),
		median(r.cold, func(c crowd) float64 { return millis(c.slowest) }))
	fmt.Fprintf(b, "| replay, start of the process included | %.0f decisions/s |\n",
		median(r.replayed, func(f float64) float64 { return f }))
	fmt.Fprintf(b, "| events of the decision log written, dropped; verdicts contradicted | %d, %d; %d |\n", r.written,
		r.dropped, r.mismatches)
}

// The lines of a page between which the tables stand.
const (
	tablesBegin = "<!-- The tables of make bench begin here. -->\n"
	tablesEnd   = "<!-- The tables of make bench end here. -->\n"
)

// put replaces the tables of a page.
func put(t *testing.T, page, tables string) {
	t.Helper()
	old, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(old), tablesBegin)
	_, after, ends := strings.Cut(rest, tablesEnd)
	if !begins || !ends {
		t.Fatalf("%s has no place for tables", page)
	}
	testkit.WriteFile(t, page, before+tablesBegin+"\n"+tables+"\n"+tablesEnd+after)
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
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
