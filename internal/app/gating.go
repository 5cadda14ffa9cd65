package app

import (
	"context"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/gate/stage"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// gating asks the gates beside the loader, so that a newer set need not wait for what they say of an older one. Like
// the loader, it is used by one goroutine.
type gating struct {
	app     *App
	answers chan gateAnswer
	number  int                // of the newest question: answers to older ones are dropped
	stop    context.CancelFunc // of the question under way; nil when there is none
	asking  sync.WaitGroup

	// refused is what the gates refused last, as long as nothing else is wanted, and unless that is settled; basis is
	// what the refusal rests on.
	refused *stage.Policies
	basis   string
	retry   *time.Ticker
}

// gateAnswer is what the gates said of next.
type gateAnswer struct {
	number int
	next   stage.Policies
	basis  string
	said   status.Gates
}

func newGating(a *App) *gating {
	return &gating{app: a, answers: make(chan gateAnswer), retry: time.NewTicker(a.cfg.Policies.Gate.Retry)}
}

// end waits for the question under way.
func (g *gating) end() {
	g.forget()
	g.retry.Stop()
	g.asking.Wait()
}

// forget drops the question under way and what was refused: something else is wanted now.
func (g *gating) forget() {
	if g.stop != nil {
		g.stop()
	}
	g.stop, g.refused = nil, nil
	g.number++
}

// begin asks the gates whether next may decide, and lets it decide at once where there is nothing to ask: no gate, or
// policies that decide already.
func (g *gating) begin(ctx context.Context, next stage.Policies) {
	g.forget()
	current := stage.Policies{Set: g.app.policy.set(), Policy: g.app.point.Snapshot().Policy}
	if len(g.app.gates) == 0 || current.Set.Digest == next.Set.Digest {
		g.app.activate(next)
		return
	}
	ctx, g.stop = context.WithCancel(ctx)
	number := g.number
	g.asking.Go(func() {
		basis := stage.Basis(g.app.gates) // before they are asked: what changes meanwhile is a reason to ask again
		said, err := g.app.ask(ctx, current, next)
		if err != nil {
			return
		}
		select {
		case g.answers <- gateAnswer{number, next, basis, said}:
		case <-ctx.Done():
		}
	})
}

// answered lets policies decide that the gates admit.
func (g *gating) answered(a gateAnswer) {
	if a.number != g.number {
		return
	}
	g.stop()
	g.stop = nil
	g.app.gated(a.said, a.next.Set)
	if a.said.Admitted {
		g.app.activate(a.next)
		return
	}
	if !stage.Settled(a.said) {
		g.refused, g.basis = &a.next, a.basis
	}
	g.app.loadFailed(stage.Problems(a.said, a.next.Set))
}

// again asks the gates once more about policies that they refused, when the reason may be gone.
func (g *gating) again(ctx context.Context) {
	if g.refused != nil && stage.Basis(g.app.gates) != g.basis {
		g.begin(ctx, *g.refused)
	}
}
