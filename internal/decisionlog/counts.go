package decisionlog

import "github.com/authz-sidecar/sidecar/internal/metrics"

// counts has the metrics of a Log.
type counts struct {
	events, losses *metrics.Counters
	failures       metrics.Counter
}

func newCounts(r metrics.Registerer) *counts {
	return &counts{
		events: metrics.NewCounters(r, "sidecar_decisionlog_events_total",
			"Decision log events by outcome.",
			"outcome",
			"written", "dropped", "suppressed"),
		losses: metrics.NewCounters(r, "sidecar_decisionlog_dropped_total",
			"Lost decision log events by reason.", "reason",
			QueueFull, QueueBytes, SinkFailed, Closing),
		failures: metrics.NewCounter(r, "sidecar_decisionlog_failures_total",
			"Failed writes and masks of the decision log."),
	}
}

func (c *counts) written(n int) { c.events.Add("written", n) }

func (c *counts) suppressed() { c.events.Inc("suppressed") }

func (c *counts) dropped(n int, why string) {
	c.events.Add("dropped", n)
	c.losses.Add(why, n)
}
