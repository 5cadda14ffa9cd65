package telemetry

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestTheInactiveRatioFollowsTheLastMinute(t *testing.T) {
	var tr trend
	now := time.Unix(1000, 0)
	if got := tr.now(now); got != 0 {
		t.Errorf("%v before anything happened", got)
	}
	for range 600 {
		now = now.Add(time.Second)
		tr.add(0, now)
	}
	for range 60 {
		now = now.Add(time.Second)
		tr.add(1, now)
	}
	if got := tr.now(now); math.Abs(got-(1-1/math.E)) > 0.02 {
		t.Errorf("%v after a minute of nothing but inactive answers", got)
	}
	if got := tr.now(now.Add(10 * time.Minute)); got > 0.01 {
		t.Errorf("%v after ten minutes without an answer", got)
	}
}

func TestTheGuardIsCountedAndMeasured(t *testing.T) {
	m := NewMetrics("")
	m.AddIssuer("main")
	m.Refused("main", "open")
	m.Refused("main", "strange")
	m.Retried("main")
	m.Asked("main", "inactive", time.Millisecond)
	m.ObserveBreaker("main", func() int { return 2 })
	has(t, scrape(t, m),
		`sidecar_introspect_refusals_total{cause="open",issuer="main"} 1`,
		`sidecar_introspect_refusals_total{cause="concurrency",issuer="main"} 0`,
		`sidecar_introspect_refusals_total{cause="retry_after",issuer="main"} 0`,
		`sidecar_introspect_refusals_total{cause="unknown_source",issuer="main"} 0`,
		`sidecar_introspect_refusals_total{cause="unknown_total",issuer="main"} 0`,
		`sidecar_introspect_refusals_total{cause="unknown",issuer="main"} 1`,
		`sidecar_introspect_retries_total{issuer="main"} 1`,
		`sidecar_introspect_breaker_state{issuer="main"} 2`)
	if page := scrape(t, m); !inactiveRatio(page) {
		t.Error("no inactive ratio near 1")
	}
	m.ObserveBreaker("main", nil)
	lacks(t, scrape(t, m), "sidecar_introspect_breaker_state{")
}

// inactiveRatio reports whether the ratio of "main" is just below 1: it falls from the moment of the answer on.
func inactiveRatio(page string) bool {
	for line := range strings.Lines(page) {
		if v, ok := strings.CutPrefix(line, `sidecar_introspect_inactive_ratio{issuer="main"} `); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			return err == nil && f > 0.9 && f <= 1
		}
	}
	return false
}
