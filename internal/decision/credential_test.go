package decision_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

var pass = map[string]any{"open": true}

const (
	bare           = `Bearer realm="acme"`
	invalidToken   = `Bearer realm="acme", error="invalid_token"`
	invalidRequest = `Bearer realm="acme", error="invalid_request"`
)

func TestActiveTokenIsLetThrough(t *testing.T) {
	w := build(t, plan{answers: pass, ttl: time.Minute})
	tok := w.grant(t, devissuer.Grant{Tenant: "acme"})
	d := w.ask(t, "open", "Bearer "+tok)
	w.expect(t, d, authz.Allow, http.StatusOK)
	if d.ID == "" || d.Policy.Path != "authz/decision" || d.Policy.Digest == "" || d.Policy.Revision == "" {
		t.Errorf("decision %q by %+v", d.ID, d.Policy)
	}
	if e := w.event(t, d.ID); e.Input == nil || e.Result != true || e.Custom.Introspection != "miss" {
		t.Errorf("the event has input %v, result %v, introspection %q", e.Input, e.Result, e.Custom.Introspection)
	}
	if e := w.event(t, w.ask(t, "open", "bearer "+tok).ID); e.Custom.Introspection != "hit" {
		t.Errorf("the second event has introspection %q, want hit", e.Custom.Introspection)
	}
}

func TestBR3_NoCredentialIsChallengedWithoutError(t *testing.T) {
	w := build(t, plan{answers: pass})
	d := w.ask(t, "open")
	w.expect(t, d, authz.Unauthenticated, http.StatusUnauthorized, "no_credential")
	expectChallenge(t, d, bare)
	if w.event(t, d.ID).Custom.Introspection != "none" || w.issuer.Calls() != 0 {
		t.Error("a server was asked without a token")
	}
}

func TestForeignSchemeIsNoCredential(t *testing.T) {
	w := build(t, plan{answers: pass})
	d := w.ask(t, "open", "Basic YWxpY2U6c2VjcmV0")
	w.expect(t, d, authz.Unauthenticated, http.StatusUnauthorized, "no_credential")
	expectChallenge(t, d, bare)
}

func TestTokenInTheQueryIsNoCredential(t *testing.T) {
	w := build(t, plan{answers: pass})
	w.expect(t, w.ask(t, "open?access_token="+w.grant(t, devissuer.Grant{})), authz.Unauthenticated,
		http.StatusUnauthorized, "no_credential")
}

func TestUnusableTokensAreRefused(t *testing.T) {
	for name, g := range map[string]devissuer.Grant{
		"expired":                          {TTL: -time.Minute},
		"past exp by the word of a server": {Claims: map[string]any{"exp": 1_000_000}},
		"not valid yet":                    {Claims: map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}},
		"refresh token":                    {Claims: map[string]any{"token_type": "refresh_token"}},
		"ID token":                         {Claims: map[string]any{"token_use": "id"}},
		"bound to a DPoP key": {Claims: map[string]any{
			"cnf": map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}},
		"bound to a certificate": {Claims: map[string]any{
			"cnf": map[string]any{"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}}},
		"bound by an unknown method": {Claims: map[string]any{"cnf": map[string]any{"osc": map[string]any{}}}},
		"issued by another server":   {Claims: map[string]any{"iss": "https://other.example"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := build(t, plan{answers: pass, ttl: time.Minute})
			d := w.ask(t, "open", "Bearer "+w.grant(t, g))
			w.expect(t, d, authz.Unauthenticated, http.StatusUnauthorized, "invalid_token")
			expectChallenge(t, d, invalidToken)
			if e := w.event(t, d.ID); e.Input != nil || e.Result != nil {
				t.Error("a policy was asked about it")
			}
		})
	}
}

func TestUnknownTokenIsRefused(t *testing.T) {
	w := build(t, plan{answers: pass})
	d := w.ask(t, "open", "Bearer 7Fjfp0ZBr1KtDRbnfVdmIw")
	w.expect(t, d, authz.Unauthenticated, http.StatusUnauthorized, "invalid_token")
	expectChallenge(t, d, invalidToken)
}

func TestDPOP14_UnboundTokenUnderDPoPIsRefused(t *testing.T) {
	w := build(t, plan{answers: pass})
	w.expect(t, w.ask(t, "open", "DPoP "+w.grant(t, devissuer.Grant{})), authz.Unauthenticated,
		http.StatusUnauthorized, "invalid_token")
}

func TestADPoPTokenIsRefusedWithoutAVerifierOfProofs(t *testing.T) {
	w := build(t, plan{answers: pass})
	tok := w.grant(t, devissuer.Grant{Claims: map[string]any{"token_type": "DPoP",
		"cnf": map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}})
	w.expect(t, w.ask(t, "open", "DPoP "+tok), authz.Unauthenticated, http.StatusUnauthorized, "invalid_token")
}

func TestBR2_MoreThanOneCredentialIsMalformed(t *testing.T) {
	w := build(t, plan{answers: pass})
	tok := w.grant(t, devissuer.Grant{})
	beside := question("open", "Bearer "+tok)
	beside.Token = secret.New(tok)
	for name, q := range map[string]authz.Query{
		"two headers":               question("open", "Bearer "+tok, "Bearer "+tok),
		"a header and the query":    question("open?access_token="+tok, "Bearer "+tok),
		"a header and one besides":  beside,
		"a header without a token":  question("open", "Bearer"),
		"a header with two tokens":  question("open", "Bearer "+tok+" "+tok),
		"a token of odd characters": question("open", "Bearer ü"),
	} {
		t.Run(name, func(t *testing.T) {
			d := w.point.Decide(t.Context(), q)
			w.expect(t, d, authz.Malformed, http.StatusBadRequest, "invalid_request")
			expectChallenge(t, d, invalidRequest)
		})
	}
	if w.issuer.Calls() != 0 {
		t.Error("the authorization server was asked")
	}
}

func TestAmbiguousRequestIsMalformed(t *testing.T) {
	w := build(t, plan{answers: pass})
	d := w.ask(t, "a/%2e%2e/open", "Bearer "+w.grant(t, devissuer.Grant{}))
	w.expect(t, d, authz.Malformed, http.StatusBadRequest, "invalid_request")
	expectChallenge(t, d, invalidRequest)
}

func TestTokenBesideTheRequestCounts(t *testing.T) {
	w := build(t, plan{answers: pass})
	q := question("open")
	q.Token = secret.New(w.grant(t, devissuer.Grant{}))
	w.expect(t, w.point.Decide(t.Context(), q), authz.Allow, http.StatusOK)
}

func TestINT16_ExpPassesWhileTheAnswerIsCached(t *testing.T) {
	var later time.Duration
	w := build(t, plan{answers: pass, ttl: time.Hour, now: func() time.Time { return time.Now().Add(later) }})
	tok := w.grant(t, devissuer.Grant{TTL: 10 * time.Minute})
	w.expect(t, w.ask(t, "open", "Bearer "+tok), authz.Allow, http.StatusOK)
	later = 9 * time.Minute
	w.expect(t, w.ask(t, "open", "Bearer "+tok), authz.Allow, http.StatusOK)
	later = 11 * time.Minute
	d := w.ask(t, "open", "Bearer "+tok)
	w.expect(t, d, authz.Unauthenticated, http.StatusUnauthorized, "invalid_token")
	expectChallenge(t, d, invalidToken)
	if n := w.issuer.Calls(); n != 1 {
		t.Errorf("the server was asked %d times, want 1: the answer was to be cached", n)
	}
}

func TestTokenOptional(t *testing.T) {
	const rego = `package authz

# METADATA
# entrypoint: true
decision := {"allow": input.request.path == "/open", "context": {"present": input.token.present, "active": input.token.active}}
`
	w := build(t, plan{token: "optional", rego: rego})
	t.Run("anonymous requests are for the policy", func(t *testing.T) {
		d := w.ask(t, "open")
		w.expect(t, d, authz.Allow, http.StatusOK)
		if string(d.Context) != `{"active":false,"present":false}` {
			t.Errorf("the policy saw %s", d.Context)
		}
	})
	t.Run("a denied anonymous request is challenged without error", func(t *testing.T) {
		d := w.ask(t, "closed")
		w.expect(t, d, authz.Deny, http.StatusUnauthorized)
		expectChallenge(t, d, bare)
	})
	t.Run("a bad token is refused all the same", func(t *testing.T) {
		w.expect(t, w.ask(t, "open", "Bearer unknown-token"), authz.Unauthenticated, http.StatusUnauthorized,
			"invalid_token")
	})
	t.Run("a malformed credential is refused all the same", func(t *testing.T) {
		w.expect(t, w.ask(t, "open", "Bearer a b"), authz.Malformed, http.StatusBadRequest, "invalid_request")
	})
	t.Run("a good token is seen", func(t *testing.T) {
		d := w.ask(t, "open", "Bearer "+w.grant(t, devissuer.Grant{}))
		w.expect(t, d, authz.Allow, http.StatusOK)
		if string(d.Context) != `{"active":true,"present":true}` {
			t.Errorf("the policy saw %s", d.Context)
		}
	})
}

func TestTokensAreNeverWritten(t *testing.T) {
	w := build(t, plan{answers: pass})
	tok := w.grant(t, devissuer.Grant{})
	for _, q := range []authz.Query{
		question("open", "Bearer "+tok), question("open?access_token=" + tok),
		question("open?access_token="+tok, "Bearer "+tok),
		question("open", "Bearer "+tok+" "+tok), question("closed", "Bearer "+tok),
	} {
		w.point.Decide(context.Background(), q)
	}
	mustNotHold(t, "decision log", w.close(t), tok)
	mustNotHold(t, "logger", w.logger.String(), tok)
}
