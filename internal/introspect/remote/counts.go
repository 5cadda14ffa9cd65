package remote

import (
	"math"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/metrics"
)

// How a question ended, in metrics.
const (
	outcomeActive        = "active"
	outcomeInactive      = "inactive"
	outcomeUnavailable   = "unavailable"
	outcomeMisconfigured = "misconfigured"
)

// counts has the metrics of a Client.
type counts struct {
	calls    *metrics.Durations
	inactive trend
}

func newCounts(r metrics.Registerer) *counts {
	c := &counts{calls: metrics.NewNetworkDurations(r, "sidecar_introspect_call_duration_seconds",
		"Duration of introspection requests in seconds, by outcome.", "outcome",
		outcomeActive, outcomeInactive, outcomeUnavailable, outcomeMisconfigured)}
	metrics.NewGaugeFunc(r, "sidecar_introspect_inactive_ratio",
		"Share of inactive answers over about the last minute.",
		func() float64 { return c.inactive.now(time.Now()) })
	return c
}

func (c *counts) asked(outcome string, took time.Duration) {
	c.calls.Took(outcome, took)
	switch outcome {
	case outcomeActive:
		c.inactive.add(0, time.Now())
	case outcomeInactive:
		c.inactive.add(1, time.Now())
	}
}

// trendOver is the time in which the weight of an event falls to 1/e.
const trendOver = time.Minute

// trend is the mean of what happened lately. When next to nothing happened it falls to 0, so that an alarm on it ends.
type trend struct {
	mu          sync.Mutex
	sum, weight float64
	at          time.Time
}

func (t *trend) add(value float64, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.decay(now)
	t.sum += value
	t.weight++
}

func (t *trend) now(now time.Time) float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.decay(now)
	return t.sum / max(t.weight, 1)
}

func (t *trend) decay(now time.Time) {
	f := math.Exp(-max(now.Sub(t.at), 0).Seconds() / trendOver.Seconds())
	t.sum, t.weight, t.at = t.sum*f, t.weight*f, now
}
