package telemetry

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// scrape reads the metrics as Prometheus does.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	srv := httptest.NewServer(m.Handler())
	defer srv.Close()
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v: %s", resp.StatusCode, err, b)
	}
	return string(b)
}

// has reports the lines that a scrape lacks.
func has(t *testing.T, page string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+page, "\n"+line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
	if t.Failed() {
		for line := range strings.Lines(page) {
			if strings.HasPrefix(line, "sidecar_") {
				t.Log(strings.TrimSpace(line))
			}
		}
	}
}

func lacks(t *testing.T, page, part string) {
	t.Helper()
	if strings.Contains(page, part) {
		t.Errorf("a line has %q", part)
	}
}

func TestIntrospectionIsCountedByIssuerAndOutcome(t *testing.T) {
	m := NewMetrics("")
	m.AddIssuer("main")
	m.Asked("main", "active", 3*time.Millisecond)
	m.Asked("other", "misconfigured", time.Second)
	m.Asked("main", "strange", 0)
	has(t, scrape(t, m),
		`sidecar_introspect_call_duration_seconds_count{issuer="main",outcome="active"} 1`,
		`sidecar_introspect_call_duration_seconds_bucket{issuer="main",outcome="active",le="0.005"} 1`,
		`sidecar_introspect_call_duration_seconds_bucket{issuer="main",outcome="active",le="0.0025"} 0`,
		`sidecar_introspect_call_duration_seconds_count{issuer="main",outcome="unavailable"} 0`,
		`sidecar_introspect_call_duration_seconds_count{issuer="main",outcome="unknown"} 1`,
		`sidecar_introspect_call_duration_seconds_count{issuer="other",outcome="misconfigured"} 1`)
}

func TestCachesAreCountedAndMeasured(t *testing.T) {
	m := NewMetrics("")
	m.Cached("main", "active", true)
	m.Cached("main", "active", true)
	m.Cached("main", "active", false)
	m.Cached("main", "inactive", false)
	m.Evicted("main", "inactive", "capacity", 7)
	m.Evicted("main", "active", "revocation", 2)
	m.Evicted("main", "active", "strange", 1)
	m.Cached("main", "strange", true)
	m.ObserveCache("main", func() Held { return Held{Active: 3, Bytes: 4096, Inactive: 2, Tombstones: 1, Revocations: 5} })
	has(t, scrape(t, m),
		`sidecar_introspect_cache_lookups_total{cache="active",issuer="main",result="hit"} 2`,
		`sidecar_introspect_cache_lookups_total{cache="active",issuer="main",result="miss"} 1`,
		`sidecar_introspect_cache_lookups_total{cache="inactive",issuer="main",result="hit"} 0`,
		`sidecar_introspect_cache_lookups_total{cache="inactive",issuer="main",result="miss"} 1`,
		`sidecar_introspect_cache_lookups_total{cache="unknown",issuer="main",result="hit"} 1`,
		`sidecar_introspect_cache_evictions_total{cache="inactive",cause="capacity",issuer="main"} 7`,
		`sidecar_introspect_cache_evictions_total{cache="inactive",cause="revocation",issuer="main"} 0`,
		`sidecar_introspect_cache_evictions_total{cache="active",cause="revocation",issuer="main"} 2`,
		`sidecar_introspect_cache_evictions_total{cache="active",cause="unknown",issuer="main"} 1`,
		`sidecar_introspect_tombstones{issuer="main",kind="pending"} 1`,
		`sidecar_introspect_tombstones{issuer="main",kind="remembered"} 5`,
		`sidecar_introspect_cache_entries{cache="active",issuer="main"} 3`,
		`sidecar_introspect_cache_entries{cache="inactive",issuer="main"} 2`,
		`sidecar_introspect_cache_bytes{issuer="main"} 4096`)
	m.ObserveCache("main", nil)
	lacks(t, scrape(t, m), "sidecar_introspect_cache_entries{")
}

func TestStaleAnswersAndRefreshesAreCounted(t *testing.T) {
	m := NewMetrics("")
	m.AddIssuer("main")
	m.Stale("main", "failing")
	m.Refreshed("main", "ok")
	m.Refreshed("main", "strange")
	has(t, scrape(t, m),
		`sidecar_introspect_stale_served_total{issuer="main",reason="failing"} 1`,
		`sidecar_introspect_stale_served_total{issuer="main",reason="refreshing"} 0`,
		`sidecar_introspect_refreshes_total{issuer="main",outcome="ok"} 1`,
		`sidecar_introspect_refreshes_total{issuer="main",outcome="overloaded"} 0`,
		`sidecar_introspect_refreshes_total{issuer="main",outcome="unknown"} 1`)
}

func TestTheRuntimeAndTheProcessAreMeasured(t *testing.T) {
	page := scrape(t, NewMetrics(""))
	for _, name := range []string{"\ngo_goroutines ", "\nprocess_resident_memory_bytes "} {
		if !strings.Contains(page, name) {
			t.Errorf("no %q", name)
		}
	}
}

func TestOneIssuerSeenFirstByManyIsCountedRight(t *testing.T) {
	m := NewMetrics("")
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() { m.Asked("main", "active", time.Millisecond) })
	}
	wg.Wait()
	has(t, scrape(t, m), `sidecar_introspect_call_duration_seconds_count{issuer="main",outcome="active"} 16`)
}

func TestTheRequestPathDoesNotAllocate(t *testing.T) {
	m := NewMetrics("")
	m.AddIssuer("main")
	if n := testing.AllocsPerRun(100, func() {
		m.Cached("main", "active", true)
		m.Stale("main", "refreshing")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkDecision is what one decision with a cached token pays for its metrics.
func BenchmarkDecision(b *testing.B) {
	m := NewMetrics("")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Cached("main", "active", true)
		}
	})
}
