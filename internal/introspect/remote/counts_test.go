package remote

import (
	"math"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/testkit"
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

func TestQuestionsAreTimedByOutcome(t *testing.T) {
	r := testkit.NewRegistry()
	c := newCounts(metrics.With(r, "issuer", "main"))
	c.asked(outcomeInactive, 3*time.Millisecond)
	if got := r.Value(t, `sidecar_introspect_call_duration_seconds{issuer="main",outcome="inactive"}`); got != 1 {
		t.Errorf("%v questions are counted, want 1", got)
	}
	if got := r.Value(t, `sidecar_introspect_inactive_ratio{issuer="main"}`); got < 0.9 || got > 1 {
		t.Errorf("the share of inactive answers is %v, want about 1", got)
	}
}
