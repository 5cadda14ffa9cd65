package app

import (
	"context"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/gate/stage"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// ask asks the gates whether next may decide in place of current, which is the zero value at a start. The error is
// that of ctx.
func (a *App) ask(ctx context.Context, current, next stage.Policies) (status.Gates, error) {
	said := stage.Ask(ctx, a.gates, a.cfg.Policies.Gate.Timeout, current, next)
	if ctx.Err() != nil {
		return said, context.Cause(ctx)
	}
	return said, nil
}

// gated keeps what the gates said for the status, counts who refused, and logs warnings.
func (a *App) gated(said status.Gates, set *bundle.Set) {
	if len(said.Gates) == 0 {
		return
	}
	for _, g := range said.Gates {
		if g.Outcome == stage.Refused {
			a.policy.refusals.Inc(g.Name)
		}
	}
	if warnings := stage.Warnings(said, set); len(warnings) > 0 {
		for _, line := range strings.Split(warnings.Error(), "\n") {
			a.deps.Log.Warn("a gate warns of new policies", "problem", line)
		}
	}
	a.policy.mu.Lock()
	a.policy.gates = &said
	a.policy.mu.Unlock()
}
