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

// DecideAll answers queries in their order, by one snapshot. Each distinct token is asked about once, unless
// hosts, headers or routes make two questions of it.
func (p *Point) DecideAll(ctx context.Context, queries []authz.Query) []authz.Decision {
	snap := *p.snap.Load()
	snap.Introspector = sharing(snap.Introspector)
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

// chooser knows whom a question goes to without asking it.
type chooser interface {
	Choose(q introspect.Question) introspect.Choice
}

// once asks about each token one time, where the same issuer would be asked in the same way. It lives as long as one batch.
type once struct {
	choose chooser
	mu     sync.Mutex
	asked  map[asked]*answer
}

// asked is what shapes an answer.
type asked struct {
	token     string
	choice    introspect.Choice
	freshness authz.Freshness
}

type answer struct {
	once   sync.Once
	claims *authz.Claims
	err    error
}

// sharing is an Introspector for one batch. One that cannot say what its answers depend on shares none.
func sharing(inner introspect.Introspector) introspect.Introspector {
	if c, ok := inner.(chooser); ok {
		return &once{choose: c, asked: map[asked]*answer{}}
	}
	return inner
}

func (o *once) Introspect(ctx context.Context, q introspect.Question) (*authz.Claims, error) {
	key := asked{q.Token.Reveal(), o.choose.Choose(q), q.Freshness}
	o.mu.Lock()
	a := o.asked[key]
	if a == nil {
		a = &answer{err: authz.Errorf(authz.Internal, "introspect: the question of another item of the batch panicked")}
		o.asked[key] = a
	}
	o.mu.Unlock()
	a.once.Do(func() { a.claims, a.err = key.choice.Introspect(ctx, q) })
	return a.claims, a.err
}
