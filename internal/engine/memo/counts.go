package memo

import "github.com/authz-sidecar/sidecar/internal/metrics"

// Counts counts what was looked up, of all policies of a process.
type Counts struct {
	Hits, Misses, Mismatches metrics.Counter
	// Mismatch is told that an entrypoint answered in another way than it is remembered, in the decision of that id.
	// It may be nil.
	Mismatch func(entrypoint, decisionID string)
}

// NewCounts declares the metrics; r may be nil.
func NewCounts(r metrics.Registerer) *Counts {
	return &Counts{
		Hits: metrics.NewCounter(r, "sidecar_engine_memo_hits_total",
			"Verdicts that were remembered."),
		Misses: metrics.NewCounter(r, "sidecar_engine_memo_misses_total",
			"Evaluations of entrypoints whose verdict was not remembered."),
		Mismatches: metrics.NewCounter(r, "sidecar_engine_memo_mismatch_total",
			"Remembered verdicts that an evaluation contradicted. It must stay 0."),
	}
}
