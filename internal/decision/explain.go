package decision

import (
	"context"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine"
)

// Explained is a decision and what led to it.
type Explained struct {
	Decision authz.Decision
	// Why is the zero Explanation when no policy was asked.
	Why engine.Explanation
	// HiddenHeaders are the names of the headers of the request that policies do not see, sorted; without those that
	// hold credentials.
	HiddenHeaders []string
}

// Explain decides q like Decide, slowly, and says why. The token is looked at as for a decision, whose answer may come
// from a cache and is kept there; a proof is not used up. The decision is not enforced by anyone who asks why, so that
// it is no event of the decision log, and in no metric of decisions.
func (p *Point) Explain(ctx context.Context, q authz.Query) Explained {
	snap := p.snap.Load()
	e := &explainer{policy: snap.Policy}
	out := Explained{HiddenHeaders: p.deps.Input.HiddenHeaders(q.Request.Headers)}
	slices.Sort(out.HiddenHeaders)
	out.Decision = p.decideBy(ctx, &q, pending{
		snap: snap, introspector: snap.Introspector, policy: e, unrecorded: true,
	})
	out.Why = e.said
	return out
}

// explainer is a policy that says why it answers as it does.
type explainer struct {
	policy *engine.Policy
	said   engine.Explanation
}

func (e *explainer) Eval(ctx context.Context, q engine.Question) (result engine.Result, err error) {
	result, e.said, err = e.policy.Explain(ctx, q)
	return result, err
}
