package oauth_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const (
	testID     = "rs:1"
	testSecret = "s3cr:t+ %/ü and long enough for the longest of hashes, which has sixty-four bytes"
)

// seen is what a server saw of one request.
type seen struct {
	*http.Request
	form url.Values
}

// idp is an authorization server over TLS. It asks for a client certificate and takes any.
type idp struct {
	*httptest.Server
	mu   sync.Mutex
	seen []seen
}

// serve answers every request by h, which gets the form too.
func serve(t *testing.T, h func(http.ResponseWriter, seen)) *idp {
	t.Helper()
	return serveTLS(t, &tls.Config{ClientAuth: tls.RequestClientCert}, h)
}

func serveTLS(t *testing.T, c *tls.Config, h func(http.ResponseWriter, seen)) *idp {
	t.Helper()
	s := &idp{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(b))
		q := seen{r, form}
		s.mu.Lock()
		s.seen = append(s.seen, q)
		s.mu.Unlock()
		h(w, q)
	}))
	s.TLS = c
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *idp) requests() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

func says(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func active(w http.ResponseWriter, _ seen) { says(w, 200, `{"active":true}`) }

// caFile is a file with the certificate of s.
func (s *idp) caFile(t *testing.T) string {
	return testkit.TempFile(t, "ca.pem", testkit.CertificatePEM(s.Certificate()))
}

// config reaches s with client_secret_basic.
func (s *idp) config(t *testing.T) oauth.Config {
	return oauth.Config{
		Name: "test", Issuer: s.URL, IntrospectionEndpoint: s.URL + "/introspect", CAFile: s.caFile(t),
		Client:  oauth.Client{ID: testID, Secret: testkit.SecretFile(t, testSecret)},
		Timeout: 30 * time.Second, FileWait: 20 * time.Second, MaxResponseBytes: 1 << 20,
	}
}

func open(t *testing.T, cfg oauth.Config) *oauth.Server {
	t.Helper()
	s, _ := openLogged(t, cfg)
	return s
}

func openLogged(t *testing.T, cfg oauth.Config) (*oauth.Server, *testkit.LogBuffer) {
	t.Helper()
	d := &testkit.LogBuffer{}
	s, err := oauth.New(cfg, oauth.Deps{Needs: []oauth.Endpoint{oauth.Introspection}, Log: d.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, d
}

// ask introspects once.
func ask(ctx context.Context, s *oauth.Server) (oauth.Reply, error) {
	endpoint, err := s.Endpoint(ctx, oauth.Introspection)
	if err != nil {
		return oauth.Reply{}, err
	}
	return s.Post(ctx, endpoint, url.Values{"token": {"t"}}, "application/json")
}

// answered introspects once and wants an answer.
func answered(t *testing.T, s *oauth.Server) {
	t.Helper()
	if r, err := ask(t.Context(), s); err != nil || r.Status != 200 {
		t.Fatalf("status %d, %v", r.Status, err)
	}
}

// observed asks s as cfg says and returns what arrived.
func (s *idp) observed(t *testing.T, cfg oauth.Config) seen {
	t.Helper()
	before := len(s.requests())
	answered(t, open(t, cfg))
	return s.requests()[before:][0]
}

// claimsOf verifies an assertion with a key, and returns its claims and its header.
func claimsOf(t *testing.T, assertion string, key any) (claims map[string]any, header gojose.Header) {
	t.Helper()
	algs := []gojose.SignatureAlgorithm{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384",
		"HS512",
	}
	signed, err := gojose.ParseSignedCompact(assertion, algs)
	if err != nil {
		t.Fatalf("no assertion: %v", err)
	}
	payload, err := signed.Verify(key)
	if err != nil {
		t.Fatalf("its signature: %v", err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims, signed.Signatures[0].Header
}
