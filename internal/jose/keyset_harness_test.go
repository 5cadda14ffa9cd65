package jose_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
)

// publisher gives out a set of keys, counts, and can fail or hang.
type publisher struct {
	calls atomic.Int64
	mu    sync.Mutex
	jwks  []byte
	err   error
	takes time.Duration
}

func (p *publisher) fetch(ctx context.Context) ([]byte, error) {
	p.calls.Add(1)
	p.mu.Lock()
	body, err, takes := p.jwks, p.err, p.takes
	p.mu.Unlock()
	select {
	case <-time.After(takes):
		return body, err
	case <-ctx.Done():
		return nil, authz.Errorf(authz.Unavailable, "fetch: given up")
	}
}

func (p *publisher) publish(signers ...*jose.Signer) {
	all := make([]string, 0, len(signers))
	for _, s := range signers {
		all = append(all, string(s.Public()))
	}
	p.set(jwks(all...), nil)
}

func (p *publisher) set(body []byte, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.jwks, p.err = body, err
}

func (p *publisher) slow(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.takes = d
}

// bed is a KeySet, its publisher and two keys, of which the first is published, in a bubble with its own clock.
type bed struct {
	*publisher
	t         testing.TB
	set       *jose.KeySet
	old, next *jose.Signer
	n         int // tokens of unknown keys
}

func inBubble(t *testing.T, test func(b *bed)) {
	t.Helper()
	old, next := signer(t, "p256", "", "old"), signer(t, "p384", "", "next")
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{}
		p.publish(old)
		s := jose.NewKeySet(jose.KeySetConfig{Name: "a", Fetch: p.fetch})
		defer s.Close()
		test(&bed{publisher: p, t: t, set: s, old: old, next: next})
	})
}

// verify verifies a token that is signed now, as a caller with 2 s for it would. Some time goes by between the two.
func (b *bed) verify(by *jose.Signer) error {
	token := sign(b.t, by, "JWT", struct{}{})
	time.Sleep(time.Millisecond)
	return b.present(token)
}

func (b *bed) present(token string) error {
	ctx, cancel := context.WithTimeout(b.t.Context(), 2*time.Second)
	defer cancel()
	_, err := jose.Verify(ctx, token, anything, b.set)
	return err
}

// unknownKey is a token that no published key has signed; each call makes another one.
func (b *bed) unknownKey(kid string) string {
	b.n++
	return handmade(b.t, "p384", "ES384", `{"alg":"ES256","typ":"JWT","kid":"`+kid+`"}`,
		fmt.Sprintf(`{"jti":"%d"}`, b.n))
}

func (b *bed) fetched(n int64) {
	b.t.Helper()
	if got := b.calls.Load(); got != n {
		b.t.Errorf("%d fetches, want %d", got, n)
	}
}

func (b *bed) works(by *jose.Signer) {
	b.t.Helper()
	if err := b.verify(by); err != nil {
		b.t.Error(err)
	}
}

// unavailable is how long to wait, of an error that says nothing about the token.
func unavailable(t testing.TB, err error) time.Duration {
	t.Helper()
	e, ok := errors.AsType[*authz.Error](err)
	if !ok || e.Kind != authz.Unavailable || e.RetryAfter <= 0 || e.RetryAfter > 5*time.Second {
		t.Errorf("%v", err)
		return time.Second
	}
	return e.RetryAfter
}
