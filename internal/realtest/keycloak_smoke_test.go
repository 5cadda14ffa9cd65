//go:build real

package realtest

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestKeycloak starts Keycloak once, for all tests with it. Most ask the server itself, without a sidecar: what other
// tests rely on is there. Each has users, clients or a realm of its own, so that any of them can be run alone. The
// drill is the last, because it stops the server.
func TestKeycloak(t *testing.T) {
	t.Parallel()
	k := startKeycloak(t, vault{})
	t.Run("the metadata of both listeners name one issuer", k.checkMetadata)
	t.Run("a sidecar may authenticate in any way", k.checkClients)
	t.Run("a token is active for those alone whom it names", k.checkAudience)
	t.Run("a secret is rotated, and the one before stays good", k.checkRotation)
	t.Run("a key is replaced", k.checkKeys)
	t.Run("lightweight and typed tokens", k.checkForms)
	t.Run("refresh, ID and offline tokens", k.checkKinds)
	t.Run("RFC 9449 a token bound to a key", k.checkDPoP)
	t.Run("RFC 8705 a token bound to a certificate", k.checkBound)
	t.Run("users and sessions end", k.checkEnds)
	t.Run("not-before", k.checkNotBefore)
	t.Run("k_push_not_before and k_logout", k.checkAdminURL)
	t.Run("back-channel logout", k.checkBackchannelLogout)
	t.Run("Shared Signals by push", k.checkPush)
	t.Run("Shared Signals by poll", k.checkPoll)

	t.Run("INT20 refresh and ID tokens are refused where Keycloak calls them active", k.lenient)
	t.Run("sidecar", k.sidecars)
	t.Run("drill", func(t *testing.T) { drill(t, k.vault, k.party()) })
	results.lacks(k.party().name, opaqueColumn, signedColumn)
}

func (k *keycloak) checkMetadata(t *testing.T) {
	type metadata struct {
		Issuer        string            `json:"issuer"`
		Introspection string            `json:"introspection_endpoint"`
		Aliases       map[string]string `json:"mtls_endpoint_aliases"`
	}
	for _, listener := range []string{k.secure, k.plain} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
			listener+"/realms/"+k.name+"/.well-known/openid-configuration", nil)
		if err != nil {
			t.Fatal(err)
		}
		got := decode[metadata](t, send(t, k.web, req).body)
		if got.Issuer != k.issuer || got.Introspection != k.at("token/introspect") ||
			got.Aliases["introspection_endpoint"] != got.Introspection {
			t.Errorf("%s says %+v", listener, got)
		}
	}
}

func (k *keycloak) checkClients(t *testing.T) {
	token := k.userTokens(t, k.app, k.newUser(t), toReadOnAll).access
	for name, c := range map[string]call{
		"client_secret_basic": {as: k.api}, "client_secret_post": byPost(k.api), "client_secret_jwt": k.bySecretJWT(t),
		"private_key_jwt": k.byKeyJWT(t), "tls_client_auth": k.byCertificate(k.tls),
		"the rotating secret": {as: k.rotating},
	} {
		if !k.told(t, c, token).Active {
			t.Errorf("%s: the token is not active", name)
		}
	}
	wrong, wrongKey := k.api, *k.keycloakRealm
	wrong.secret, wrongKey.keyJWT.key = wrong.secret+"x", testkit.NewKey(t)
	for name, c := range map[string]call{
		"client_secret_basic": {as: wrong}, "client_secret_post": byPost(wrong),
		"private_key_jwt": wrongKey.byKeyJWT(t),
		"tls_client_auth with another certificate": k.byCertificate(certificateClient{k.tls.id,
			k.ca.Client(t, "other.acme.example")}),
		"tls_client_auth without a certificate": {form: k.byCertificate(k.tls).form},
	} {
		// 400 for an assertion, 401 for all others.
		if r := k.introspect(c, token).do(t); r.status != http.StatusUnauthorized &&
			r.status != http.StatusBadRequest {
			t.Errorf("%s that is wrong: status %d", name, r.status)
		}
	}
	foreign := testkit.SelfSignedAs(t, testkit.ClientTemplate("sidecar.acme.example"))
	if resp, err := k.showing(&foreign).Get(k.issuer); err == nil {
		resp.Body.Close()
		t.Error("a self-signed certificate gets through the handshake")
	}
}

func (k *keycloak) checkAudience(t *testing.T) {
	token := k.userTokens(t, k.app, k.newUser(t), toRead).access
	for c, want := range map[oauthClient]bool{k.api: true, k.rotating: false, k.lax: true} {
		if got := k.told(t, call{as: c}, token).Active; got != want {
			t.Errorf("%s is told %v, want %v", c.id, got, want)
		}
	}
	foreign := k.userTokens(t, k.other, k.newUser(t), toRead).access
	if k.active(t, foreign) || !k.told(t, call{as: k.lax}, foreign).Active {
		t.Error("a token without audience is active for orders-api, or inactive for orders-lenient")
	}
}

func (k *keycloak) checkRotation(t *testing.T) {
	r := k.newRealm(t)
	token := r.userTokens(t, r.app, r.alice, toReadOnAll).access
	check := func(c oauthClient, want int, what string) {
		t.Helper()
		if got := r.introspect(call{as: c}, token).do(t).status; got != want {
			t.Errorf("%s: status %d, want %d", what, got, want)
		}
	}
	second := r.rotateSecret(t, r.rotating)
	check(r.rotating, http.StatusOK, "the secret before")
	check(second, http.StatusOK, "the new secret")
	third := r.rotateSecret(t, second)
	check(r.rotating, http.StatusUnauthorized, "the secret before the one before")
	check(second, http.StatusOK, "the secret before")
	r.dropOldSecret(t, third)
	check(second, http.StatusUnauthorized, "the secret that was dropped")
	check(third, http.StatusOK, "the last secret")
	fresh := r.rotateSecret(t, r.api)
	check(r.api, http.StatusUnauthorized, "the secret before, of a client without the policy")
	check(fresh, http.StatusOK, "the new secret, of a client without the policy")
}

func (k *keycloak) checkKeys(t *testing.T) {
	r := k.newRealm(t)
	token := r.userTokens(t, r.app, r.alice, toReadOnAll).access
	check := func(want int, what string, r *keycloakRealm) {
		t.Helper()
		if got := r.introspect(r.byKeyJWT(t), token).do(t).status; got != want {
			t.Errorf("%s: status %d, want %d", what, got, want)
		}
	}
	next := *r
	next.keyJWT.key = testkit.NewKey(t)
	check(http.StatusOK, "the key", r)
	check(http.StatusBadRequest, "a key that is not registered yet", &next)
	r.registerKeys(t, r.keyJWT, next.keyJWT)
	check(http.StatusOK, "the old key beside the new one", r)
	check(http.StatusOK, "the new key beside the old one", &next)
	r.registerKeys(t, next.keyJWT)
	check(http.StatusBadRequest, "the key that was replaced", r)
	check(http.StatusOK, "the key that replaced it", &next)
}

func (k *keycloak) checkForms(t *testing.T) {
	u := k.newUser(t)
	light := k.userTokens(t, k.newApp(t, lightweightTokens), u, toRead).access
	if c := k.claims(t, light, "JWT"); c.Subject != "" || len(c.Audience) > 0 || c.Session == "" {
		t.Errorf("the lightweight token says %+v", c)
	}
	a := k.told(t, call{as: k.api}, light)
	if !a.Active || a.Subject != u.id || !a.names("orders-api") || a.Username != u.name {
		t.Errorf("of the lightweight token it says %+v", a)
	}
	typed := k.userTokens(t, k.newApp(t, typedTokens), u, toRead).access
	if c := k.claims(t, typed, "at+jwt"); c.Subject != u.id || c.Issuer != k.issuer || !c.names("orders-api") ||
		!k.active(t, typed) {
		t.Errorf("the typed token says %+v", c)
	}
}

func (k *keycloak) checkKinds(t *testing.T) {
	app, u := k.newApp(t), k.newUser(t)
	online, kept := k.userTokens(t, app, u, toRead), k.userTokens(t, app, u, offline)
	for name, want := range map[string]struct{ token, kind string }{
		"access":  {online.access, "Bearer"},
		"refresh": {online.refresh, "Refresh"},
		"ID":      {online.id, "ID"},
		"offline": {kept.refresh, "Offline"},
	} {
		if k.active(t, want.token) != (name == "access") {
			t.Errorf("%s token: it is active for orders-api, or the access token is not", name)
		}
		if a := k.told(t, call{as: k.lax}, want.token); !a.Active || a.TokenType != want.kind {
			t.Errorf("%s token: orders-lenient is told %+v", name, a)
		}
	}
	if !k.active(t, k.refreshed(t, app, kept).access) {
		t.Error("an access token of an offline session is not active")
	}
}

func (k *keycloak) checkDPoP(t *testing.T) {
	key, app, u := testkit.NewKey(t), k.newApp(t, dpopTokens), k.newUser(t)
	for _, c := range []oauthClient{app, k.newApp(t)} { // who only sends a proof is bound too
		a := k.told(t, call{as: k.api}, k.dpopTokens(t, c, key, u.as(toRead)).access)
		if !a.Active || a.TokenType != "DPoP" || a.Confirmation.Thumbprint != testkit.ProofKeyOf(t, key).Thumbprint {
			t.Errorf("the answer is %+v", a)
		}
	}
	k.ask(app, "token", u.as(toRead)).want(t, http.StatusBadRequest) // no token without a proof
}

func (k *keycloak) checkBound(t *testing.T) {
	certificate, app := k.ca.Client(t, "orders-bound.acme.example"), k.newApp(t, boundTokens)
	a := k.told(t, call{as: k.api}, k.certificateTokens(t, app, certificate, asItself("orders:read")).access)
	sum := sha256.Sum256(certificate.Leaf.Raw)
	if !a.Active || a.TokenType != "Bearer" ||
		a.Confirmation.Certificate != base64.RawURLEncoding.EncodeToString(sum[:]) {
		t.Errorf("the answer is %+v", a)
	}
	k.ask(app, "token", asItself("orders:read")).want(t, http.StatusBadRequest) // no token without a certificate
}

func (k *keycloak) checkEnds(t *testing.T) {
	app, u := k.newApp(t), k.newUser(t)
	first, second := k.userTokens(t, app, u, toRead).access, k.userTokens(t, app, u, toRead).access
	check := func(what string, wantFirst, wantSecond bool) {
		t.Helper()
		if a, b := k.active(t, first), k.active(t, second); a != wantFirst || b != wantSecond {
			t.Errorf("%s: the tokens are active: %v and %v, want %v and %v", what, a, b, wantFirst, wantSecond)
		}
	}
	k.disableUser(t, u)
	check("user disabled", false, false)
	k.enableUser(t, u)
	check("user enabled again", true, true)
	u = k.changePassword(t, u)
	check("password changed", true, true)
	k.deleteSession(t, k.claims(t, first, "JWT").Session)
	check("session deleted", false, true)
	k.logoutUser(t, u)
	check("user logged out", false, false)
	first, second = k.userTokens(t, app, u, toRead).access, k.userTokens(t, app, u, toRead).access
	k.revoke(t, app, second)
	check("token revoked", true, false)
	k.deleteUser(t, u)
	check("user deleted", false, false)

	r := k.newRealm(t)
	last := r.userTokens(t, r.app, r.alice, toRead).access
	r.logoutAll(t)
	if r.active(t, last) {
		t.Error("everybody logged out: the token is active")
	}
}

func (k *keycloak) checkNotBefore(t *testing.T) {
	r := k.newRealm(t)
	token := r.userTokens(t, r.app, r.alice, toRead).access
	later := r.claims(t, token, "JWT").IssuedAt + 1
	for name, step := range map[string]struct {
		set  func(second int64)
		felt bool
	}{
		"realm":  {func(second int64) { r.setNotBefore(t, second) }, true},
		"client": {func(second int64) { r.setClientNotBefore(t, r.app.id, second) }, true},
		"user":   {func(second int64) { r.setUserNotBefore(t, r.alice, second) }, false},
	} {
		step.set(later)
		if r.active(t, token) == step.felt {
			t.Errorf("not-before of the %s is felt, or not, against the recordings", name)
		}
		step.set(later - 1) // the second of iat itself does not count
		if !r.active(t, token) {
			t.Errorf("not-before of the %s at iat ends the token", name)
		}
		step.set(0)
		if !r.active(t, token) {
			t.Errorf("not-before of the %s is not taken back", name)
		}
	}
}

func (k *keycloak) checkAdminURL(t *testing.T) {
	type order struct {
		ID         string `json:"id"`
		Expiration int64  `json:"expiration"`
		Resource   string `json:"resource"`
		Action     string `json:"action"`
		NotBefore  int64  `json:"notBefore"`
	}
	r, to := k.newRealm(t), newReceiver(t, http.StatusNoContent)
	r.setAdminURL(t, r.api.id, to.URL+"/keycloak")
	next := func(path, action string) order {
		t.Helper()
		got := to.await(t, "/keycloak/"+path)
		o := decode[order](t, r.verify(t, string(got.body), "JWT"))
		if o.ID == "" || o.Resource != r.api.id || o.Action != action || o.Expiration < time.Now().Unix() ||
			!strings.HasPrefix(got.contentType, "text/plain") {
			t.Errorf("%s says %+v, as %s", path, o, got.contentType)
		}
		return o
	}
	now := time.Now().Unix()
	r.setNotBefore(t, now)
	r.pushNotBefore(t)
	if o := next("k_push_not_before", "PUSH_NOT_BEFORE"); o.NotBefore != now {
		t.Errorf("the not-before of the realm is %d, want %d", o.NotBefore, now)
	}
	// That of a client is another, whatever the realm's is.
	for _, own := range []int64{0, now - 60} {
		r.setClientNotBefore(t, r.api.id, own)
		r.pushClientNotBefore(t, r.api.id)
		if o := next("k_push_not_before", "PUSH_NOT_BEFORE"); o.NotBefore != own {
			t.Errorf("the not-before of the client is %d, want %d", o.NotBefore, own)
		}
	}
	r.logoutUser(t, r.alice)
	to.none(t)
	r.logoutAll(t)
	if o := next("k_logout", "LOGOUT"); o.NotBefore < now {
		t.Errorf("the not-before of the logout is %d, want %d or later", o.NotBefore, now)
	}
}

func (k *keycloak) checkBackchannelLogout(t *testing.T) {
	type logoutToken struct {
		keycloakAnswer
		Expires int64          `json:"exp"`
		Events  map[string]any `json:"events"`
	}
	to, app, u := newReceiver(t, http.StatusOK), k.newApp(t), k.newUser(t)
	k.setBackchannelLogout(t, app.id, to.URL+"/backchannel")
	for name, end := range map[string]func(t *testing.T) session{
		"by its refresh token": func(t *testing.T) session {
			s := k.userTokens(t, app, u, toRead)
			k.logout(t, app, s)
			return s
		},
		"in the browser": func(t *testing.T) session {
			b, s := k.browserLogin(t, app, u, toRead)
			k.endSession(t, b, app, s)
			return s
		},
		"by an administrator": func(t *testing.T) session {
			s := k.userTokens(t, app, u, toRead)
			k.deleteSession(t, k.sid(t, s))
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := end(t)
			got := to.await(t, "/backchannel")
			l := decode[logoutToken](t, k.verify(t, got.form(t).Get("logout_token"), "logout+jwt"))
			if l.Issuer != k.issuer || l.Subject != u.id || !l.names(app.id) || l.Type != "Logout" ||
				l.Session != k.sid(t, s) ||
				l.Expires != l.IssuedAt+120 || l.Events["http://schemas.openid.net/event/backchannel-logout"] == nil {
				t.Errorf("the logout token says %+v", l)
			}
			if k.active(t, s.access) {
				t.Error("the access token is still active")
			}
		})
	}
}
