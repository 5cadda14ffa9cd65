package decision

import (
	"context"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// Recorded is a question that was decided before, as the decision log has it.
type Recorded struct {
	// DecisionID seeds rand and uuid, and Time is what time.now_ns returns, as they did then.
	DecisionID string
	Time       time.Time
	Entrypoint string
	Document   *input.Document
}

// Question is what the engine is asked.
func (r *Recorded) Question() engine.Question {
	return engine.Question{Entrypoint: r.Entrypoint, Document: r.Document, Time: r.Time, Seed: r.DecisionID}
}

// Reconsidered is what a policy makes of a recorded question.
type Reconsidered struct {
	Decision authz.Decision
	// Result is what the policy returned; Empty when it returned nothing.
	Result      engine.Result
	Explanation engine.Explanation
}

// Reconsider decides a recorded question anew, by the policy of the snapshot, and says why, which is slow.
func (p *Point) Reconsider(ctx context.Context, r Recorded) Reconsidered {
	return p.ReconsiderBy(ctx, p.snap.Load().Policy, r)
}

// ReconsiderBy is Reconsider for another policy.
func (p *Point) ReconsiderBy(ctx context.Context, policy *engine.Policy, r Recorded) Reconsidered {
	result, why, err := policy.Explain(ctx, r.Question())
	out := p.reconsidered(policy, r, result, err)
	out.Explanation = why
	return out
}

// RedecideBy decides a recorded question anew, by a policy, without an explanation. The same policy decides as it did
// then. It is counted and logged nowhere, and no server is asked: the document holds what was known about the token.
func (p *Point) RedecideBy(ctx context.Context, policy *engine.Policy, r Recorded) Reconsidered {
	result, err := policy.Eval(ctx, r.Question())
	return p.reconsidered(policy, r, result, err)
}

func (p *Point) reconsidered(policy *engine.Policy, r Recorded, result engine.Result, err error) Reconsidered {
	out := Reconsidered{Result: result}
	to := &client{scheme: token.Scheme(r.Document.Token.Scheme)}
	var verdict *authz.Verdict
	if err == nil {
		verdict, err = result.Verdict()
	}
	if err != nil {
		out.Decision = p.refuse(err, to)
	} else {
		out.Decision = p.decided(verdict, to)
	}
	out.Decision.ID = r.DecisionID
	out.Decision.Policy = policy.Ref(r.Entrypoint)
	return out
}
