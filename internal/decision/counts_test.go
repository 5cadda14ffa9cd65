package decision

import (
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func TestDecisionsAreCountedByKind(t *testing.T) {
	r := testkit.NewRegistry()
	c := newCounts(r)
	c.decided(authz.Allow, 20*time.Microsecond)
	c.decided(authz.Allow, 20*time.Millisecond)
	c.decided(authz.Unavailable, time.Second)
	c.decided(authz.Kind(200), 0)
	for series, want := range map[string]float64{
		`sidecar_decision_decisions_total{kind="allow"}`:       2,
		`sidecar_decision_decisions_total{kind="deny"}`:        0,
		`sidecar_decision_decisions_total{kind="unavailable"}`: 1,
		`sidecar_decision_decisions_total{kind="internal"}`:    1,
		`sidecar_decision_duration_seconds`:                    4,
	} {
		if got := r.Value(t, series); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
}

func TestEvaluationsAreCountedBySnapshot(t *testing.T) {
	r := testkit.NewRegistry()
	c, s, next := newCounts(r), &Snapshot{}, &Snapshot{}
	c.evaluated(s, time.Microsecond, nil)
	c.evaluated(s, time.Microsecond, authz.Errorf(authz.Misconfigured, "undefined"))
	c.evaluated(s, time.Microsecond, authz.Errorf(authz.Unavailable, "no time"))
	if got, want := s.Verdicts(), (Verdicts{Evaluations: 3, Misconfigured: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := r.Value(t, "sidecar_engine_evaluation_duration_seconds"); got != 3 {
		t.Errorf("%v evaluations are timed, want 3", got)
	}
	if got := next.Verdicts(); got.Evaluations != 0 || got.Ratio() != 0 {
		t.Errorf("another snapshot has %+v", got)
	}
}

func TestCountingADecisionDoesNotAllocate(t *testing.T) {
	c, s := newCounts(nil), &Snapshot{}
	if n := testing.AllocsPerRun(100, func() {
		c.decided(authz.Allow, time.Microsecond)
		c.evaluated(s, time.Microsecond, nil)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
