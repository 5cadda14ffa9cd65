package decision

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
)

// batchWidth is how many questions of one batch are under way at once.
const batchWidth = 8

// DecideAll answers queries in their order, by one snapshot. Each distinct token is asked about once.
func (p *Point) DecideAll(ctx context.Context, queries []authz.Query) []authz.Decision {
	snap := *p.snap.Load()
	if snap.Introspector != nil {
		snap.Introspector = &once{inner: snap.Introspector, asked: map[asked]*answer{}}
	}
	out := make([]authz.Decision, len(queries))
	var group errgroup.Group
	group.SetLimit(batchWidth)
	for i, q := range queries {
		group.Go(func() error {
			out[i] = p.decideBy(ctx, &snap, snap.Policy, &q)
			return nil
		})
	}
	_ = group.Wait() // decisions are no errors
	return out
}

// once asks about each token one time. It lives as long as one batch.
type once struct {
	inner introspect.Introspector
	mu    sync.Mutex
	asked map[asked]*answer
}

// asked is what shapes an answer.
type asked struct {
	token, host string
	demand      introspect.Demand
}

type answer struct {
	once   sync.Once
	claims *authz.Claims
	err    error
}

func (o *once) Introspect(ctx context.Context, q introspect.Question) (*authz.Claims, error) {
	o.mu.Lock()
	key := asked{q.Token.Reveal(), q.Host, q.Demand}
	a := o.asked[key]
	if a == nil {
		a = &answer{err: authz.E(authz.Internal, "introspect: the question of another item of the batch panicked")}
		o.asked[key] = a
	}
	o.mu.Unlock()
	a.once.Do(func() { a.claims, a.err = o.inner.Introspect(ctx, q) })
	return a.claims, a.err
}
