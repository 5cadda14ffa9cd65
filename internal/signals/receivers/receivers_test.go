package receivers

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/conf"

	"github.com/authz-sidecar/sidecar/internal/signals/ssf"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/jwks"
	"github.com/authz-sidecar/sidecar/internal/testkit/transmitter"
)

func TestPUSH1_OnlyPostIsTaken(t *testing.T) {
	rs, _ := openFor(t, transmitter.New(t), nil)
	w := httptest.NewRecorder()
	rs.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/events/acme/shared-signals", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("status %d", w.Code)
	}
}

func TestPUSH1_PathsOfOtherIssuersAreNotFound(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, nil)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/events/other/shared-signals",
		strings.NewReader("x"))
	r.Header.Set("Authorization", testHeader)
	r.Header.Set("Content-Type", "application/secevent+jwt")
	w := httptest.NewRecorder()
	rs.ServeHTTP(w, r)
	if w.Code != http.StatusNotFound {
		t.Errorf("status %d", w.Code)
	}
	transmitter.Wants(t, l)
}

// A logout token is sent once. Keycloak's first one waited for the keys, and would be lost while they cannot be had.
func TestBCL1_TheKeysAreThereBeforeTheFirstLogoutToken(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, func(c *Config) { c.SharedSignals = conf.Default[ssf.Config]() })
	transmitter.Run(t, rs)
	testkit.Eventually(t, "the keys are fetched", func() bool { return strings.Contains(l.Log(), "fetched keys") })
	if w := postLogout(t, rs, jwks.Sign(t, p.Signer, "logout+jwt", logoutClaims(p.URL))); w.Code != http.StatusOK ||
		p.Count("GET /jwks") != 1 {
		t.Errorf("status %d, %d fetches", w.Code, p.Count("GET /jwks"))
	}
}

func TestBCL4_AnIssuerWithoutAcceptedClientsTakesNone(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, func(c *Config) { c.BackChannelLogout.Audience = nil })
	if w := postLogout(t, rs, jwks.Sign(t, p.Signer, "logout+jwt",
		logoutClaims(p.URL))); w.Code != http.StatusNotFound {
		t.Errorf("status %d", w.Code)
	}
	transmitter.Wants(t, l)
}

func TestPathsOfReceiversThatAreOffAreNotFound(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, func(c *Config) {
		off := conf.Default[Config]()
		c.SharedSignals, c.KeycloakAdmin = off.SharedSignals, off.KeycloakAdmin
	})
	for _, path := range []string{"keycloak/k_logout", "shared-signals", "other"} {
		if w := post(t, rs, path, "text/plain", "", "x"); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
	transmitter.Wants(t, l)
}

func logoutClaims(issuer string) map[string]any {
	now := time.Now().Unix()
	return map[string]any{
		"iss": issuer, "aud": testClient, "iat": now, "exp": now + 120, "jti": "logout-1", "sub": "alice",
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
}
