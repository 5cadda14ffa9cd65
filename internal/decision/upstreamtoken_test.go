package decision_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/upstreamtoken"
)

func identityIssuer(t *testing.T) *upstreamtoken.Issuer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "key.pem")
	testkit.WriteFile(t, name, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	i, err := upstreamtoken.Open(upstreamtoken.Config{KeyFiles: []string{name}, Issuer: "sidecar",
		Audience: []string{"api"}, Lifetime: time.Minute, Header: "X-Identity-Token"}, upstreamtoken.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// logged is the line of a decision in the decision log.
func (w *world) logged(t *testing.T, id string) string {
	t.Helper()
	w.event(t, id) // it is written
	for line := range strings.Lines(testkit.ReadFile(t, w.logFile)) {
		if strings.Contains(line, id) {
			return line
		}
	}
	return ""
}

// identityOf is the value of the header of an allow, and whether it is there once.
func identityOf(d authz.Decision) (value string, once bool) {
	n := 0
	for _, h := range d.UpstreamHeaders {
		if h.Name == "X-Identity-Token" && len(h.Values) == 1 {
			value, n = h.Values[0], n+1
		}
	}
	return value, n == 1
}

func TestEveryAllowHasTheHeaderOfTheSignedIdentityOnce(t *testing.T) {
	claims := map[string]any{"sub": "alice"}
	w := build(t, plan{token: "optional", identity: []string{"X-Identity-Token"}, tokens: identityIssuer(t),
		answers: map[string]any{
			"none":   true,
			"some":   map[string]any{"allow": true, "upstream_token": claims},
			"empty":  map[string]any{"allow": true, "upstream_token": map[string]any{}},
			"denied": map[string]any{"allow": false, "upstream_token": claims},
		}})
	bearer := "Bearer " + w.grant(t, devissuer.Grant{})
	for _, c := range []struct {
		path   string
		bearer []string
		signed bool
	}{
		{"none", []string{bearer}, false}, {"empty", []string{bearer}, false}, {"some", nil, false},
		{"some", []string{bearer}, true},
	} {
		d := w.ask(t, c.path, c.bearer...)
		w.expect(t, d, authz.Allow, http.StatusOK)
		value, once := identityOf(d)
		if !once || (value != "") != c.signed {
			t.Errorf("%s (token: %t): headers %v", c.path, c.bearer != nil, d.UpstreamHeaders)
		}
		logged := w.logged(t, d.ID)
		if strings.Contains(logged, `"upstream_token_id":"`) != c.signed || value != "" &&
			strings.Contains(logged, value) {
			t.Errorf("%s: the event is %s", c.path, logged)
		}
	}
	if d := w.ask(t, "denied", bearer); d.Kind != authz.Deny || d.UpstreamHeaders != nil {
		t.Errorf("a deny is %s with %v", d.Kind, d.UpstreamHeaders)
	}
	q := question("some", bearer)
	q.Request.Headers["connection"] = []string{"X-Identity-Token"}
	w.expect(t, w.point.Decide(t.Context(), q), authz.Malformed, http.StatusBadRequest, "invalid_request")
}

func TestAnIdentityThatCannotBeSignedIsNeverAnAllow(t *testing.T) {
	w := build(t, plan{tokens: identityIssuer(t), answers: map[string]any{
		"reserved": map[string]any{"allow": true, "upstream_token": map[string]any{"exp": 1}},
		"text":     map[string]any{"allow": true, "upstream_token": "alice"},
		"long": map[string]any{"allow": true,
			"upstream_token": map[string]any{"a": strings.Repeat("x", 5000)}},
		"twice": map[string]any{"allow": true, "upstream_headers": map[string]any{"x-identity-token": "forged"}},
	}})
	for _, path := range []string{"reserved", "text", "long", "twice"} {
		d := w.ask(t, path, "Bearer "+w.grant(t, devissuer.Grant{}))
		if d.Kind != authz.Misconfigured || d.Status != http.StatusInternalServerError || d.UpstreamHeaders != nil {
			t.Errorf("%s: %s %d %v", path, d.Kind, d.Status, d.UpstreamHeaders)
		}
	}
}

func TestWithoutKeysThereIsNoHeaderOfASignedIdentity(t *testing.T) {
	w := build(t, plan{answers: map[string]any{
		"some": map[string]any{"allow": true, "upstream_token": map[string]any{"sub": "alice"}}}})
	d := w.ask(t, "some", "Bearer "+w.grant(t, devissuer.Grant{}))
	w.expect(t, d, authz.Allow, http.StatusOK)
	if len(d.UpstreamHeaders) != 0 || strings.Contains(w.logged(t, d.ID), "upstream_token_id") {
		t.Errorf("headers are %v", d.UpstreamHeaders)
	}
}
