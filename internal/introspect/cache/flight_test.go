package cache

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// A look-up that found nothing leads to a flight. A flight of another caller may begin and end between the two.
func TestINT19_AFlightThatEndedInBetweenIsNotRepeated(t *testing.T) {
	calls := 0
	c := open(t, constant(func() introspect.Fact { calls++; return answer(authz.Claims{}) }), nil)
	ask(t, c, "abc")
	q := asking("abc")
	claims, err := c.flight.share(t.Context(), c.key(q, ""), q, time.Time{})
	if err != nil || !claims.Active || calls != 1 {
		t.Errorf("%d questions, %v", calls, err)
	}
}

// Between the moment an answer is kept and the end of the question it came from, a revocation can evict it. A caller
// after that finds nothing in the cache, and must not join the question and get the evicted answer.
func TestEV1_ACallerAfterARevocationDoesNotGetTheEvictedAnswer(t *testing.T) {
	var over atomic.Bool
	var asked atomic.Int32
	c := open(t, constant(func() introspect.Fact {
		asked.Add(1)
		f := answer(authz.Claims{SessionID: "s1"})
		if over.Load() {
			f.Claims.Active = false
		}
		return f
	}), func(cfg *Config) { cfg.TTL, cfg.HardTTL = 1, time.Hour })
	kept, release := make(chan struct{}), make(chan struct{})
	fetch := c.flight.fetch
	ask(t, c, "abc")
	c.flight.fetch = func(ctx context.Context, q introspect.Question) (*authz.Claims, error) {
		claims, err := fetch(ctx, q)
		if claims.Active {
			close(kept)
			<-release
		}
		return claims, err
	}
	if !ask(t, c, "abc").Active { // stale, and refreshed in the background
		t.Fatal("the answer is not kept")
	}
	<-kept
	over.Store(true)
	if n, err := c.Evict(authz.Revocation{Issuer: "test", SessionID: "s1"}); n != 1 || err != "" {
		t.Fatalf("%d answers evicted, %v", n, err)
	}
	got := make(chan *authz.Claims)
	go func() {
		f, err := c.Ask(context.Background(), asking("abc"))
		if err != nil {
			t.Error(err)
		}
		got <- f.Claims
	}()
	testkit.Eventually(t, "the question is put again", func() bool { return asked.Load() == 3 })
	close(release)
	if claims := <-got; claims == nil || claims.Active {
		t.Error("the answer that was evicted is used")
	}
}
