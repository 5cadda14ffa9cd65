package introspect

import "github.com/authz-sidecar/sidecar/internal/metrics"

// NewRefusals declares the counters of questions that are not put to the server, by cause. Each layer declares its own
// causes of this one metric.
func NewRefusals(r metrics.Registerer, causes ...string) map[string]metrics.Counter {
	refused := map[string]metrics.Counter{}
	for _, cause := range causes {
		refused[cause] = metrics.NewCounter(metrics.With(r, "cause", cause), "sidecar_introspect_refusals_total",
			"Introspections refused before a request was sent, by cause.")
	}
	return refused
}
