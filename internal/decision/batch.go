package decision

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
)

// batchWidth is how many questions of one batch are under way at once.
const batchWidth = 8

// DecideAll answers queries in their order, by one snapshot. Each distinct token is asked about once, unless
// hosts, headers or entrypoints make two questions of it.
func (p *Point) DecideAll(ctx context.Context, queries []authz.Query) []authz.Decision {
	snap := p.snap.Load()
	introspector := oncePerToken(snap.Introspector)
	out := make([]authz.Decision, len(queries))
	var group errgroup.Group
	group.SetLimit(batchWidth)
	for i, q := range queries {
		group.Go(func() error {
			out[i] = p.decideBy(ctx, &q, pending{snap: snap, introspector: introspector, policy: snap.Policy})
			return nil
		})
	}
	_ = group.Wait() // decisions are no errors
	return out
}

// chooser chooses the issuer of a question without asking a server.
type chooser interface {
	Choose(q introspect.Question) issuer.Choice
}

// batchIntrospector asks about each token once, where the same issuer would be asked in the same way. It lives as long
// as one batch.
type batchIntrospector struct {
	choose chooser
	mu     sync.Mutex
	asked  map[batchKey]*sharedAnswer
}

// batchKey is what shapes an answer.
type batchKey struct {
	token     string
	choice    issuer.Choice
	freshness authz.Freshness
}

type sharedAnswer struct {
	once   sync.Once
	claims *authz.Claims
	err    error
}

// oncePerToken is an Introspector for one batch. One that cannot say what its answers depend on shares none.
func oncePerToken(inner introspect.Introspector) introspect.Introspector {
	if c, ok := inner.(chooser); ok {
		return &batchIntrospector{choose: c, asked: map[batchKey]*sharedAnswer{}}
	}
	return inner
}

func (b *batchIntrospector) Introspect(ctx context.Context, q introspect.Question) (*authz.Claims, error) {
	key := batchKey{q.Token.Reveal(), b.choose.Choose(q), q.Freshness}
	b.mu.Lock()
	a := b.asked[key]
	if a == nil {
		a = &sharedAnswer{
			err: authz.Errorf(authz.Internal, "introspect: the question of another item of the batch panicked"),
		}
		b.asked[key] = a
	}
	b.mu.Unlock()
	a.once.Do(func() { a.claims, a.err = key.choice.Introspect(ctx, q) })
	return a.claims, a.err
}
