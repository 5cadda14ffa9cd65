package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/events"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// signer is a key whose public half is served as a key set.
func signer(t *testing.T) (s *jose.Signer, jwks string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = jose.NewSigner(secret.New(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))), "ES256", "k"); err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"keys":[%s]}`, s.Public())
	}))
	t.Cleanup(ts.Close)
	return s, ts.URL
}

// form posts a form to the admin listener with a caller key that is not there.
func (w *world) form(t *testing.T, path string, values url.Values) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.admin+path, strings.NewReader(values.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestALogoutIsFeltAtOnceAlthoughAnswersAreCached(t *testing.T) {
	key, jwks := signer(t)
	w := start(t, func(c *config.Config) {
		c.Issuers[0].Endpoint.JWKSURI, c.Issuers[0].Cache.TTL = jwks, time.Hour
		c.Listen.Admin.BearerKeysFile = filepath.Join(t.TempDir(), "keys")
		write(t, c.Listen.Admin.BearerKeysFile, callerKey+"\n")
		c.Events = []events.Config{{Issuer: "dev", BackChannelLogout: events.BackChannelLogout{Audience: []string{"web"}, Algorithms: []string{"ES256"}}}}
	})
	over, live := w.token(t, good()), w.token(t, good())
	for _, tok := range []string{over, live} {
		if a := w.ask(t, tok); !a.is("allow", 200, "") {
			t.Fatal(a)
		}
	}
	w.issuer.Revoke(over)
	if a := w.ask(t, over); !a.is("allow", 200, "") {
		t.Fatalf("the answer is not cached, so this proves nothing: %s", a)
	}
	now := time.Now().Unix()
	tok, err := key.Sign("logout+jwt", map[string]any{
		"iss": w.issuer.Issuer(), "aud": "web", "iat": now, "exp": now + 60, "jti": "1", "sub": "alice",
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if code := w.form(t, "/v1/events/dev/backchannel-logout", url.Values{"logout_token": {tok.Reveal()}}); code != http.StatusOK {
		t.Fatalf("status %d: %s", code, w.logger)
	}
	if a := w.ask(t, over); !a.is("unauthenticated", 401, "invalid_token") {
		t.Errorf("the token that is over: %s", a)
	}
	if a := w.ask(t, live); !a.is("allow", 200, "") { // the event proves nothing: the issuer was asked again
		t.Errorf("the token that lives on: %s", a)
	}
}
