//go:build bench

// Package bench measures the sidecar side by side with the least that its web framework can do and with OPA's own
// server, in one run, with one load generator. It holds tests only, behind the build tag "bench".
//
//	make bench                                  the tables of docs/performance.md
//	BENCH_ROUNDS=2 BENCH_SECONDS=2 make bench   in a hurry
//	make bench-scale                            the plots in docs/performance
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
	f := startField(t, program, w)
	r := report{effort: e, field: f}
	targets := f.targets()
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
	r.pace = paces{opa: share * median(f.opa.runs, run.throughput),
		sidecar: share * median(f.small.runs, run.throughput)}
	for range e.rounds {
		for _, s := range f.paced() {
			s.paced = append(s.paced, paced{own: pace(t, s, e.each, share*median(s.runs, run.throughput)),
				opa: pace(t, s, e.each, r.pace.opa), sidecar: pace(t, s, e.each, r.pace.sidecar)})
		}
	}
	if n := w.issuer.Calls() - asked; n != 0 {
		t.Errorf("the issuer was asked %d times during the runs: a token was not cached", n)
	}
	for _, side := range f.sidecars() {
		m := side.metrics(t)
		r.written += int(m[`sidecar_decisionlog_events_total{outcome="written"}`])
		r.dropped += int(m[`sidecar_decisionlog_events_total{outcome="dropped"}`])
		r.mismatches += int(m["sidecar_engine_memo_mismatch_total"])
	}
	if r.dropped > 0 {
		t.Errorf("%d events of the decision log were dropped: the figures are not those of a log that is on",
			r.dropped)
	}
	if r.mismatches > 0 {
		t.Errorf("%d remembered verdicts were contradicted", r.mismatches)
	}
	for _, s := range targets {
		closeAll(s.many)
		s.proc.stop()
	}
	r.extra(t, program, w)
	table := r.markdown()
	t.Log("\n" + table)
	if page := os.Getenv("BENCH_PAGE"); page != "" {
		put(t, page, table)
	}
}

// field is all servers that are compared.
type field struct {
	floors
	opa, opaLog, opaShipped               *target
	small, smallQuiet, smallFull, tokens  sidecar
	smallFullQuiet                        sidecar
	shipped, shippedFull                  sidecar
	nginx, envoy, nginxShipped, envoyFull *target
}

func startField(t *testing.T, program string, w *world) *field {
	t.Helper()
	opa, document := install(t, "github.com/open-policy-agent/opa"), w.document(t)
	side := func(s setup) sidecar { return startSidecar(t, program, w, s) }
	f := &field{
		floors:         startFloors(t, w),
		opa:            startOPA(t, opa, document, w.small, false),
		opaLog:         startOPA(t, opa, document, w.small, true),
		opaShipped:     startOPA(t, opa, document, w.shipped, false),
		small:          side(setup{policy: w.small}),
		smallQuiet:     side(setup{policy: w.small, silent: true}),
		smallFull:      side(setup{policy: w.small, full: true}),
		smallFullQuiet: side(setup{policy: w.small, full: true, silent: true}),
		tokens:         side(setup{policy: w.small, jwt: true}),
		shipped:        side(setup{policy: w.shipped}),
		shippedFull:    side(setup{policy: w.shipped, full: true}),
	}
	f.nginx = f.small.through("forward auth", asks(f.small.nginx, w.subrequest(), nil))
	f.envoy = f.small.through("gRPC", checks(f.small.grpc, w.check()))
	f.nginxShipped = f.shippedFull.through("forward auth", asks(f.shippedFull.nginx, w.subrequest(), nil))
	f.envoyFull = f.shippedFull.through("gRPC", checks(f.shippedFull.grpc, w.check()))
	return f
}

// targets are the servers in the order of the table, and of each round.
func (f *field) targets() []*target {
	return []*target{
		f.post, f.get, f.grpc, f.opa, f.opaLog, f.opaShipped, f.small.target, f.smallQuiet.target,
		f.smallFull.target, f.smallFullQuiet.target, f.tokens.target, f.shipped.target, f.shippedFull.target, f.nginx,
		f.envoy, f.nginxShipped, f.envoyFull,
	}
}

func (f *field) sidecars() []sidecar {
	return []sidecar{f.small, f.smallQuiet, f.smallFull, f.smallFullQuiet, f.tokens, f.shipped, f.shippedFull}
}

// paced are the servers whose latency below their limit is measured.
func (f *field) paced() []*target {
	return []*target{f.post, f.opa, f.small.target, f.smallFull.target, f.shippedFull.target}
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
		p50: loaded.quantile(0.50), p99: loaded.quantile(0.99),
		p999: loaded.quantile(0.999), single: single.quantile(0.50),
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

// pace asks s evenly, at a rate a second, and returns the p99 of its latency.
func pace(t *testing.T, s *target, d time.Duration, rate float64) time.Duration {
	t.Helper()
	asked, err := open(s.many, d, rate)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	s.rest()
	return asked.quantile(0.99)
}

// metrics are the values of all series of a sidecar.
func (s sidecar) metrics(t *testing.T) map[string]float64 {
	t.Helper()
	resp, err := http.Get("http://" + s.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	all := map[string]float64{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		series, value, _ := strings.Cut(lines.Text(), " ")
		if all[series], err = strconv.ParseFloat(value, 64); err != nil {
			t.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
