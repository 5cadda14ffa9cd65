package jose_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/jose"
)

// publisher gives out a set of keys, counts, and can fail.
type publisher struct {
	calls atomic.Int64
	mu    sync.Mutex
	jwks  []byte
	err   error
}

func (p *publisher) fetch(context.Context) ([]byte, error) {
	p.calls.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.jwks, p.err
}

func (p *publisher) publish(s ...*jose.Signer) {
	var all []string
	for _, s := range s {
		all = append(all, string(s.Public()))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.jwks, p.err = jwks(all...), nil
}

func TestRotationIsPickedUp(t *testing.T) {
	old, next := signer(t, "p256", "", "old"), signer(t, "p384", "", "next")
	p := &publisher{}
	p.publish(old)
	s := jose.NewKeySet(jose.KeySetConfig{Name: "a", Fetch: p.fetch})
	defer s.Close()
	verify := func(by *jose.Signer) error {
		_, err := jose.Verify(t.Context(), sign(t, by, "JWT", struct{}{}), plain("ES256", "ES384"), s)
		return err
	}
	if err := verify(old); err != nil {
		t.Fatal(err)
	}
	p.publish(next)
	if err := verify(next); err != nil {
		t.Fatal(err)
	}
	if err := verify(old); !errors.Is(err, jose.ErrNoKey) {
		t.Errorf("the key that was taken back: %v", err)
	}
	if n := p.calls.Load(); n != 2 {
		t.Errorf("%d fetches", n)
	}
}
