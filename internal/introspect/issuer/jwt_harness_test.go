package issuer

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/jwks"
)

const api = "https://api.example"

// keyed is an authorization server with keys of its own, metadata, and an introspection endpoint that a test may
// replace.
type keyed struct {
	*httptest.Server
	signer *jose.Signer

	mu     sync.Mutex
	public []string // what its key set holds
	down   bool     // the key set cannot be had
	answer http.HandlerFunc

	asked, fetched atomic.Int64
}

func newKeyed(t testing.TB) *keyed {
	t.Helper()
	k := &keyed{signer: jwks.NewSigner(t, "k1")}
	k.public = []string{string(k.signer.Public())}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/oauth-authorization-server", func(w http.ResponseWriter, r *http.Request) {
		testkit.ReplyJSON(fmt.Sprintf(`{"issuer":%q,"introspection_endpoint":%q,"jwks_uri":%q}`, k.URL,
			k.URL+"/introspect", k.URL+"/jwks"))(w, r)
	})
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, r *http.Request) {
		k.fetched.Add(1)
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.down {
			testkit.Reply(http.StatusBadGateway, "", "")(w, r)
			return
		}
		testkit.ReplyJSON(`{"keys":[`+strings.Join(k.public, ",")+`]}`)(w, r)
	})
	mux.HandleFunc("/introspect", func(w http.ResponseWriter, r *http.Request) {
		k.asked.Add(1)
		k.mu.Lock()
		h := k.answer
		k.mu.Unlock()
		h(w, r)
	})
	k.answer = testkit.ReplyJSON(`{"active":true}`)
	k.Server = httptest.NewServer(mux)
	t.Cleanup(k.Close)
	return k
}

// says replaces the introspection endpoint.
func (k *keyed) says(h http.HandlerFunc) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answer = h
}

// holds replaces the key set.
func (k *keyed) holds(public ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.public = public
}

func (k *keyed) goDown() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.down = true
}

func (k *keyed) comeBack() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.down = false
}

// change is a claim to set, or to remove when it is nil.
type change map[string]any

// claims are those of a good access token, changed.
func (k *keyed) claims(c change) map[string]any {
	now := time.Now().Unix()
	m := map[string]any{
		"iss": k.URL, "aud": api, "sub": "alice", "client_id": "web", "jti": "id-1", "iat": now, "exp": now +
			600, "scope": "read",
	}
	for name, v := range c {
		if m[name] = v; v == nil {
			delete(m, name)
		}
	}
	return m
}

func sign(t testing.TB, s *jose.Signer, typ string, claims map[string]any) secret.Text {
	t.Helper()
	tok, err := s.Sign(typ, claims)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// token is a good access token, changed.
func (k *keyed) token(t testing.TB, c change) secret.Text {
	t.Helper()
	return sign(t, k.signer, "at+jwt", k.claims(c))
}

// in configures a mode at k.
func (k *keyed) in(mode authz.Mode, more ...func(*Config)) func(*Config) {
	return func(c *Config) {
		c.Endpoint.Issuer, c.Mode = k.URL, mode
		c.Dialect.Audience = []string{"other", api}
		c.JWT.Algorithms = []string{"ES256"}
		for _, f := range more {
			f(c)
		}
	}
}

// look wants an answer about a token.
func look(t testing.TB, i *Issuer, tok secret.Text) *authz.Claims {
	t.Helper()
	return lookIn(t, i, tok, "")
}

func lookIn(t testing.TB, i *Issuer, tok secret.Text, m authz.Mode) *authz.Claims {
	t.Helper()
	c, err := i.Introspect(t.Context(), introspect.Question{Token: tok, Freshness: authz.Freshness{Mode: m}})
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return c
}

// noAnswer wants an error of a kind.
func noAnswer(t testing.TB, i *Issuer, tok secret.Text, m authz.Mode, want authz.Kind) error {
	t.Helper()
	c, err := i.Introspect(t.Context(), introspect.Question{Token: tok, Freshness: authz.Freshness{Mode: m}})
	if c != nil || err == nil || authz.KindOf(err) != want {
		t.Fatalf("claims %t, kind %v, want %v: %v", c != nil, authz.KindOf(err), want, err)
	}
	return err
}
