package decision

import (
	"context"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine"
)

// DecideRaw decides q, as Decide does, and returns what the policy returned as JSON too. That is nil unless the
// policy made the decision: a result that was overruled, or could not be read, is no answer.
func (p *Point) DecideRaw(ctx context.Context, q authz.Query) (authz.Decision, []byte) {
	snap := p.snap.Load() // once: a request sees one generation
	kept := &resultKeeper{evaluator: snap.Policy}
	d := p.decideBy(ctx, &q, pending{snap: snap, introspector: snap.Introspector, policy: kept})
	if d.Cause != nil || d.Kind != authz.Allow && d.Kind != authz.Deny || kept.result.Empty() {
		return d, nil
	}
	raw, err := kept.result.AppendJSON(nil)
	if err != nil {
		p.deps.Log.Error("a result cannot be written as JSON", "decision_id", d.ID, "cause", err)
		return d, nil
	}
	return d, raw
}

// resultKeeper keeps what a policy returned.
type resultKeeper struct {
	evaluator
	result engine.Result
}

func (k *resultKeeper) Eval(ctx context.Context, q engine.Question) (engine.Result, error) {
	result, err := k.evaluator.Eval(ctx, q)
	k.result = result
	return result, err
}
