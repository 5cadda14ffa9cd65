// Package jwks makes signers for tests, and serves their public keys as a key set.
package jwks

import (
	"crypto"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// NewSigner makes a signer for ES256 with a new key.
func NewSigner(t testing.TB, kid string) *jose.Signer {
	t.Helper()
	return SignerOf(t, testkit.NewKey(t), "", kid)
}

// SignerOf makes a signer with a key. An empty algorithm is the usual one of the key.
func SignerOf(t testing.TB, key crypto.PrivateKey, algorithm, kid string) *jose.Signer {
	t.Helper()
	s, err := jose.NewSigner(secret.New(testkit.KeyPEM(t, key)), algorithm, kid)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Sign makes a JWT of a type.
func Sign(t testing.TB, s *jose.Signer, typ string, claims any) string {
	t.Helper()
	token, err := s.Sign(typ, claims)
	if err != nil {
		t.Fatal(err)
	}
	return token.Reveal()
}

// Document is the key set that holds some public keys: JWKs.
func Document(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

// Publisher serves a key set. It is safe for concurrent use.
type Publisher struct {
	mu      sync.Mutex
	keys    []string
	down    bool
	fetches int
}

// Publish makes the public keys of signers the key set.
func (p *Publisher) Publish(signers ...*jose.Signer) {
	keys := make([]string, len(signers))
	for i, s := range signers {
		keys[i] = string(s.Public())
	}
	p.PublishKeys(keys...)
}

// PublishKeys makes some JWKs the key set.
func (p *Publisher) PublishKeys(keys ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = keys
}

// Fail answers 502 from now on.
func (p *Publisher) Fail() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
}

// Recover answers with the key set again.
func (p *Publisher) Recover() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

// Fetches is how many requests there were.
func (p *Publisher) Fetches() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetches
}

// ServeHTTP answers with the key set.
func (p *Publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.fetches++
	body, down := Document(p.keys...), p.down
	p.mu.Unlock()
	if down {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	testkit.ReplyJSON(body)(w, r)
}

// Serve publishes the keys of signers at a URL until the end of the test.
func Serve(t testing.TB, signers ...*jose.Signer) (url string, p *Publisher) {
	t.Helper()
	p = &Publisher{}
	p.Publish(signers...)
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return s.URL, p
}
