//go:build bench

// Package bench measures the sidecar side by side with the least that its web framework can do and with OPA's own
// server, in one run, with one load generator. It holds tests only, behind the build tag "bench".
//
//	make bench                                  the table of docs/benchmarks.md
//	BENCH_ROUNDS=2 BENCH_SECONDS=2 make bench   in a hurry
//
// Figures differ from machine to machine and from run to run; the ratios within one run are what counts.
package bench

import (
	"bufio"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// effort is how long and how often is measured.
type effort struct {
	rounds int
	each   time.Duration
}

func efforts(t *testing.T) effort {
	t.Helper()
	number := func(name string, usual int) int {
		v := os.Getenv(name)
		if v == "" {
			return usual
		}
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			t.Fatalf("%s is %q, want a number above zero", name, v)
		}
		return n
	}
	return effort{rounds: number("BENCH_ROUNDS", 5), each: time.Duration(number("BENCH_SECONDS", 5)) * time.Second}
}

// TestBench measures and prints. It fails when any answer is not an allow, when the sidecar asks the issuer more than
// once, and when it loses an event of its decision log; never because of a figure.
func TestBench(t *testing.T) {
	e := efforts(t)
	w := newWorld(t)
	program := buildSidecar(t)
	floor := startFloor(t, question(t, w.token))
	targets := []*target{floor}
	r := report{effort: e, floor: floor}
	var sides []sidecar
	for _, p := range []policy{w.small, w.shipped} {
		side := startSidecar(t, program, w, p)
		r.pairs = append(r.pairs, pair{policy: p.name, opa: startOPA(t, w.document(t), p), side: side.target})
		sides = append(sides, side)
		targets = append(targets, r.pairs[len(r.pairs)-1].opa, side.target)
	}
	asked := 0
	for _, s := range targets { // until caches, heaps and connections are warm
		s.connect(t)
		measure(t, s, min(e.each, 2*time.Second))
		asked = w.issuer.Calls()
	}
	for range e.rounds {
		for _, s := range targets {
			s.runs = append(s.runs, measure(t, s, e.each))
		}
	}
	r.sharedPace = share * median(r.pairs[len(r.pairs)-1].opa.runs, run.throughput)
	for range e.rounds {
		for _, s := range targets {
			s.paced = append(s.paced, pace(t, s, e.each, r.sharedPace))
		}
	}
	if n := w.issuer.Calls() - asked; n != 0 {
		t.Errorf("the issuer was asked %d times during the runs: the token was not cached", n)
	}
	for _, side := range sides {
		written, dropped := logged(t, side.admin)
		r.written, r.dropped = r.written+written, r.dropped+dropped
	}
	if r.dropped > 0 {
		t.Errorf("%d events of the decision log were dropped: the figures are not those of a log that is on",
			r.dropped)
	}
	for _, s := range targets {
		closeAll(s.many)
		s.proc.stop()
	}

	r.first = firstDecision(t, program, w, e.rounds)
	r.memory = cachedTokens(t, program, w)
	r.reload = reloads(t, program, w, e.rounds)
	t.Log("\n" + r.markdown())
}

// measure puts all connections of s under load for d, and then one of them alone.
func measure(t *testing.T, s *target, d time.Duration) run {
	t.Helper()
	before := cpuOf(t, s.proc)
	loaded, err := closed(s.many, d)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	used := cpuOf(t, s.proc) - before
	if len(loaded.latencies) == 0 {
		t.Fatalf("%s: no answer within %s", s.name, d)
	}
	single, err := closed(s.single, d/5)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	s.rest()
	r := run{
		rate: loaded.rate(), cpu: used / time.Duration(len(loaded.latencies)),
		p50: loaded.quantile(0.50), p99: loaded.quantile(0.99), single: single.quantile(0.50),
	}
	if r.rss, r.peak, err = s.proc.memory(); err != nil {
		t.Fatal(err)
	}
	return r
}

func cpuOf(t *testing.T, p *process) time.Duration {
	t.Helper()
	used, err := p.cpu()
	if err != nil {
		t.Fatal(err)
	}
	return used
}

// share is how much of a peak is asked for when latency is what matters: a server at its limit only shows its queue.
const share = 0.7

// pace asks s evenly: at a share of its own peak, and as often as shared says, a rate that is the same for all.
func pace(t *testing.T, s *target, d time.Duration, shared float64) paced {
	t.Helper()
	own, err := open(s.many, d, share*median(s.runs, run.throughput))
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	same, err := open(s.many, d, shared)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	s.rest()
	return paced{own: own.quantile(0.99), shared: same.quantile(0.99)}
}

// logged reads from the metrics of a sidecar what became of the events of its decision log.
func logged(t *testing.T, admin string) (written, dropped int) {
	t.Helper()
	resp, err := http.Get("http://" + admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		series, value, _ := strings.Cut(lines.Text(), " ")
		to := map[string]*int{
			`sidecar_decisionlog_events_total{outcome="written"}`: &written,
			`sidecar_decisionlog_events_total{outcome="dropped"}`: &dropped,
		}[series]
		if to == nil {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatal(err)
		}
		*to = int(n)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return written, dropped
}
