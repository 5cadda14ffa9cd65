//go:build real

package realtest

import (
	"crypto/ecdsa"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// Scopes that tokens are asked for with.
const (
	toRead      = "openid orders:read"
	toReadOnAll = toRead + " " + everySidecar // to be introspected by every client of the sidecar
	offline     = toRead + " offline_access"  // the refresh token outlives the session, and so do its access tokens
)

// asItself is the form for a token that speaks for the client.
func asItself(scope string) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}
}

// as is the form for tokens that speak for u.
func (u keycloakUser) as(scope string) url.Values {
	return url.Values{"grant_type": {"password"}, "username": {u.name}, "password": {u.password}, "scope": {scope}}
}

// clientToken is an access token by which c speaks for itself.
func (r *keycloakRealm) clientToken(t *testing.T, c oauthClient) string {
	t.Helper()
	return r.ask(c, "token", asItself("orders:read")).tokens(t, r.server.vault).access
}

// userTokens are those of a new session of u with c.
func (r *keycloakRealm) userTokens(t *testing.T, c oauthClient, u keycloakUser, scope string) session {
	t.Helper()
	return r.ask(c, "token", u.as(scope)).tokens(t, r.server.vault)
}

// refreshed are tokens of the same session.
func (r *keycloakRealm) refreshed(t *testing.T, c oauthClient, s session) session {
	t.Helper()
	return r.ask(c, "token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {s.refresh}}).tokens(t,
		r.server.vault)
}

// dpopTokens are bound to key (RFC 9449), whether c must have them so or not. form is asItself or that of a user.
func (r *keycloakRealm) dpopTokens(t *testing.T, c oauthClient, key *ecdsa.PrivateKey, form url.Values) session {
	t.Helper()
	ask := r.ask(c, "token", form)
	ask.header = http.Header{"Dpop": {testkit.ProofKeyOf(t, key).Proof(t, http.MethodPost, ask.endpoint, "", nil)}}
	return ask.tokens(t, r.server.vault)
}

// certificateTokens are bound to a certificate (RFC 8705 section 3), when c has that switch on.
func (r *keycloakRealm) certificateTokens(
	t *testing.T, c oauthClient, certificate testkit.Certificate, form url.Values,
) session {
	t.Helper()
	ask := r.ask(c, "token", form)
	ask.http = r.server.showing(&certificate)
	return ask.tokens(t, r.server.vault)
}

// verify checks the signature of what the realm made, and its type, and returns the payload.
func (r *keycloakRealm) verify(t *testing.T, compact, wantType string) []byte {
	t.Helper()
	body, err := fetch(strings.Replace(r.at("certs"), r.server.secure, r.server.plain, 1))
	if err != nil {
		t.Fatal(err)
	}
	return verified(t, decode[jose.JSONWebKeySet](t, body), compact, wantType, jose.RS256)
}

// claims are what an access token of the realm says. Its signature is checked, and its type.
func (r *keycloakRealm) claims(t *testing.T, token, wantType string) keycloakAnswer {
	t.Helper()
	return decode[keycloakAnswer](t, r.verify(t, token, wantType))
}

// sid names the session that tokens are of.
func (r *keycloakRealm) sid(t *testing.T, s session) string {
	t.Helper()
	return r.claims(t, s.access, "JWT").Session
}

// browserLogin logs u in at the pages of Keycloak, in a browser that can log out again: endSession.
func (r *keycloakRealm) browserLogin(t *testing.T, c oauthClient, u keycloakUser, scope string) (*browser, session) {
	t.Helper()
	b := newBrowser(t, "Keycloak", func(page string) url.Values {
		if !strings.Contains(page, `id="kc-form-login"`) {
			return nil
		}
		return url.Values{"username": {u.name}, "password": {u.password}, "credentialId": {""}}
	})
	form := regexp.MustCompile(`<form id="kc-form-login"[^>]* action="([^"]+)"`)
	b.action = func(page string) string {
		if m := form.FindStringSubmatch(page); m != nil {
			return html.UnescapeString(m[1])
		}
		t.Fatalf("log in at Keycloak: no form\n%s", tail(page))
		return ""
	}
	b.Transport = r.server.web.Transport
	return b, b.login(t, r.server.vault, codeFlow{c, r.at("auth"), r.at("token"), url.Values{"scope": {scope}}})
}

// endSession logs out in the browser (OpenID Connect RP-Initiated Logout 1.0). What clients are told of it they have
// been told when it returns.
func (r *keycloakRealm) endSession(t *testing.T, b *browser, c oauthClient, s session) {
	t.Helper()
	query := url.Values{"id_token_hint": {s.id}, "post_logout_redirect_uri": {callback}, "client_id": {c.id}}
	b.walk(t, r.at("logout")+"?"+query.Encode(), callback)
}

// logout ends the session of a refresh token, as its client does.
func (r *keycloakRealm) logout(t *testing.T, c oauthClient, s session) {
	t.Helper()
	r.ask(c, "logout", url.Values{"refresh_token": {s.refresh}}).want(t, http.StatusOK, http.StatusNoContent)
}

// revoke ends a token (RFC 7009). An access token goes alone; with a refresh token goes its session.
func (r *keycloakRealm) revoke(t *testing.T, c oauthClient, token string) {
	t.Helper()
	r.ask(c, "revoke", url.Values{"token": {token}}).want(t, http.StatusOK)
}
