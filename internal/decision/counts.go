package decision

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/metrics"
)

// counts has the metrics of a Point.
type counts struct {
	decisions [len(authz.Kinds)]metrics.Counter // by kind
	// unauthenticated has the decisions of kind unauthenticated, by one of reasons401.
	unauthenticated *metrics.Counters
	decision        metrics.Duration
	evaluation      metrics.Duration
}

func newCounts(r metrics.Registerer) counts {
	c := counts{
		decision: metrics.NewDuration(r, "sidecar_decision_duration_seconds",
			"Duration of decisions, introspection included, in seconds."),
		evaluation: metrics.NewDuration(r, "sidecar_engine_evaluation_duration_seconds",
			"Duration of policy evaluations, in seconds."),
	}
	c.unauthenticated = metrics.NewCounters(r, "sidecar_decision_unauthenticated_total",
		"Decisions of kind unauthenticated by reason.", "reason", reasons401()...)
	var kinds []string
	for _, k := range authz.Kinds {
		kinds = append(kinds, k.String())
	}
	byKind := metrics.NewCounters(r, "sidecar_decision_decisions_total", "Decisions by kind.", "kind", kinds...)
	for _, k := range authz.Kinds {
		c.decisions[k] = byKind.Of(k.String())
	}
	return c
}

func (c *counts) decided(kind authz.Kind, took time.Duration) {
	if int(kind) >= len(c.decisions) {
		kind = authz.Internal
	}
	c.decisions[kind].Inc()
	c.decision.Took(took)
}

func (c *counts) evaluated(s *Snapshot, took time.Duration, err error) {
	c.evaluation.Took(took)
	s.Evaluated(err)
}

// Verdicts counts what became of the evaluations of one snapshot.
type Verdicts struct {
	// Evaluations is how many there were, Misconfigured how many of them gave no verdict by the fault of the policy.
	Evaluations, Misconfigured uint64
}

// Evaluated counts one evaluation of the policy of s; err is why it gave no verdict, or nil.
func (s *Snapshot) Evaluated(err error) {
	s.evaluations.Add(1)
	if err != nil && authz.KindOf(err) == authz.Misconfigured {
		s.misconfigured.Add(1)
	}
}

// Verdicts counts the evaluations since s was made.
func (s *Snapshot) Verdicts() Verdicts {
	misconfigured := s.misconfigured.Load() // first: it is never more than all
	return Verdicts{Evaluations: s.evaluations.Load(), Misconfigured: misconfigured}
}

// Ratio is the share of evaluations without a verdict; 0 when there were none.
func (v Verdicts) Ratio() float64 { return float64(v.Misconfigured) / float64(max(v.Evaluations, 1)) }
