//go:build real

package realtest

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestOIDCProvider asks the server itself, without a sidecar: what other tests rely on is there.
func TestOIDCProvider(t *testing.T) {
	logouts := make(chan string, 8)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter,
		r *http.Request) {
		logouts <- r.PostFormValue("logout_token")
	}))
	t.Cleanup(receiver.Close)
	p := startOIDCProvider(t, vault{}, receiver.URL)
	t.Run("RFC 9701 a signed answer", p.checkSigned)
	t.Run("RFC 9701 an encrypted answer", p.checkEncrypted)
	t.Run("RFC 9449 a token bound to a key", p.checkDPoP)
	t.Run("RFC 8705 a token bound to a certificate", p.checkBound)
	t.Run("RFC 9068 a token that can be read", p.checkJWT)
	t.Run("tls_client_auth and self_signed_tls_client_auth", p.checkCertificateClients)
	t.Run("client_secret_jwt and private_key_jwt", p.checkAssertionClients)
	t.Run("RFC 7009 revocation", p.checkRevocation)
	t.Run("what looks like a JWT is answered 400", p.checkRubbish)
	t.Run("back-channel logout", func(t *testing.T) { p.checkLogout(t, logouts) })
	t.Run("the metadata name the secure endpoints", p.checkMetadata)
}

// answerOf is an introspection answer, as far as it matters here.
type answerOf struct {
	Active       bool   `json:"active"`
	ClientID     string `json:"client_id"`
	TokenType    string `json:"token_type"`
	Confirmation struct {
		Thumbprint  string `json:"jkt"`
		Certificate string `json:"x5t#S256"`
	} `json:"cnf"`
}

// introspect completes c with a token and the endpoint.
func (p *oidcProvider) introspect(c call, token string) call {
	form := url.Values{"token": {token}}
	for name, values := range c.form {
		form[name] = values
	}
	c.form = form
	if c.endpoint == "" {
		c.endpoint = p.issuer + "/token/introspection"
	}
	return c
}

// told is the JSON answer to c.
func (p *oidcProvider) told(t *testing.T, c call, token string) answerOf {
	t.Helper()
	return decode[answerOf](t, p.introspect(c, token).want(t, http.StatusOK))
}

func decode[T any](t *testing.T, text []byte) T {
	t.Helper()
	var to T
	if err := json.Unmarshal(text, &to); err != nil {
		t.Fatal(err)
	}
	return to
}

// signedAnswer is the payload of RFC 9701 section 5.
type signedAnswer struct {
	Issuer        string   `json:"iss"`
	Audience      string   `json:"aud"`
	IssuedAt      int64    `json:"iat"`
	Introspection answerOf `json:"token_introspection"`
}

// asJWT asks for an answer after RFC 9701.
func asJWT(c oauthClient) call {
	return call{as: c, header: http.Header{"Accept": {"application/token-introspection+jwt"}}}
}

// verify checks a signature by the keys of the server, and returns the payload.
func (p *oidcProvider) verify(t *testing.T, compact, wantType string, algorithm jose.SignatureAlgorithm) []byte {
	t.Helper()
	body, err := fetch(p.issuer + "/jwks")
	if err != nil {
		t.Fatal(err)
	}
	return verified(t, decode[jose.JSONWebKeySet](t, body), compact, wantType, algorithm)
}

func (p *oidcProvider) checkPayload(t *testing.T, compact string, c oauthClient) {
	t.Helper()
	got := decode[signedAnswer](t, p.verify(t, compact, "token-introspection+jwt", jose.ES256))
	if got.Issuer != p.issuer || got.Audience != c.id || got.IssuedAt == 0 || !got.Introspection.Active ||
		got.Introspection.ClientID != p.app.id {
		t.Errorf("the answer is %+v", got)
	}
}

func (p *oidcProvider) checkSigned(t *testing.T) {
	r := p.introspect(asJWT(p.signed), p.service(t, ours)).do(t)
	if r.status != http.StatusOK || !strings.HasPrefix(r.contentType, "application/token-introspection+jwt") {
		t.Fatalf("status %d, content type %s", r.status, r.contentType)
	}
	p.checkPayload(t, string(r.body), p.signed)
	if !p.told(t, call{as: p.signed}, p.service(t, ours)).Active {
		t.Error("asked for JSON, it gives none")
	}
}

func (p *oidcProvider) checkEncrypted(t *testing.T) {
	token := p.service(t, ours)
	jwe, err := jose.ParseEncryptedCompact(string(p.introspect(asJWT(p.encrypted), token).want(t, http.StatusOK)),
		[]jose.KeyAlgorithm{jose.ECDH_ES}, []jose.ContentEncryption{jose.A128GCM})
	if err != nil {
		t.Fatal(err)
	}
	inner, err := jwe.Decrypt(p.decryption)
	if err != nil {
		t.Fatal(err)
	}
	p.checkPayload(t, string(inner), p.encrypted)
	if r := p.introspect(call{as: p.encrypted}, token).do(t); r.status != http.StatusBadRequest {
		t.Errorf("asked for JSON, it answers %d", r.status)
	}
}

func (p *oidcProvider) checkDPoP(t *testing.T) {
	key := testkit.NewKey(t)
	a := p.told(t, call{as: p.api}, p.dpopToken(t, key))
	if !a.Active || a.TokenType != "DPoP" || a.Confirmation.Thumbprint != testkit.ProofKeyOf(t, key).Thumbprint {
		t.Errorf("the answer is %+v", a)
	}
	p.dpop.post(t, p.issuer+"/token", forOrders(ordersResource), http.StatusBadRequest) // no token without a proof
}

func (p *oidcProvider) checkBound(t *testing.T) {
	certificate := p.ca.Client(t, "orders-bound.acme.example")
	a := p.told(t, call{as: p.api}, p.boundToken(t, certificate))
	sum := sha256.Sum256(certificate.Leaf.Raw)
	if !a.Active || a.Confirmation.Certificate != base64.RawURLEncoding.EncodeToString(sum[:]) {
		t.Errorf("the answer is %+v", a)
	}
	p.bound.post(t, p.issuer+"/token", forOrders(ordersResource),
		http.StatusBadRequest) // no token without a certificate
}

func (p *oidcProvider) checkJWT(t *testing.T) {
	token := p.jwtToken(t)
	got := decode[struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"`
		ClientID string `json:"client_id"`
		Scope    string `json:"scope"`
		Tenant   string `json:"tenant"`
	}](t, p.verify(t, token, "at+jwt", jose.ES256))
	if got.Issuer != p.issuer || got.Subject != p.app.id || got.Audience != "orders-api" || got.ClientID != p.app.id ||
		got.Scope != "orders:read" || got.Tenant != "acme" {
		t.Errorf("the token says %+v", got)
	}
	if r := p.introspect(call{as: p.api}, token).do(t); r.status != http.StatusBadRequest {
		t.Errorf("introspected, it is answered %d", r.status)
	}
}

func (p *oidcProvider) checkCertificateClients(t *testing.T) {
	token := p.service(t, ours)
	for _, c := range []certificateClient{p.tls, p.selfSigned} {
		as := call{endpoint: p.secure + "/token/introspection", form: url.Values{"client_id": {c.id}}}
		as.http = p.showing(c.certificate)
		if !p.told(t, as, token).Active {
			t.Errorf("%s: the token is not active", c.id)
		}
		for name, hc := range map[string]*http.Client{
			"no certificate":      p.showing(testkit.Certificate{}),
			"another certificate": p.showing(testkit.SelfSignedAs(t, testkit.ClientTemplate("sidecar.acme.example"))),
		} {
			as.http = hc
			if r := p.introspect(as, token).do(t); r.status != http.StatusUnauthorized {
				t.Errorf("%s with %s: status %d", c.id, name, r.status)
			}
		}
	}
}

func (p *oidcProvider) checkAssertionClients(t *testing.T) {
	token := p.service(t, ours)
	secret := jose.SigningKey{Algorithm: jose.HS256, Key: []byte(p.secretJWT.secret)}
	key := func(k *ecdsa.PrivateKey) jose.SigningKey { return jose.SigningKey{Algorithm: jose.ES256, Key: k} }
	for _, audience := range []string{p.issuer, p.issuer + "/token", p.issuer + "/token/introspection"} {
		for _, form := range []url.Values{
			clientAssertion(t, p.secretJWT.id, secret, audience),
			clientAssertion(t, p.keyJWT.id, key(p.keyJWT.key), audience),
		} {
			if !p.told(t, call{form: form}, token).Active {
				t.Errorf("%s: the token is not active", audience)
			}
			if r := p.introspect(call{form: form}, token).do(t); r.status != http.StatusUnauthorized {
				t.Errorf("%s: an assertion that was used is answered %d", audience, r.status)
			}
		}
	}
	if r := p.introspect(call{form: clientAssertion(t, p.keyJWT.id, key(testkit.NewKey(t)), p.issuer)},
		token).do(t); r.status != http.StatusUnauthorized {
		t.Errorf("another key: status %d", r.status)
	}
}

func (p *oidcProvider) checkRevocation(t *testing.T) {
	token := p.service(t, ours)
	p.app.post(t, p.issuer+"/token/revocation", url.Values{"token": {token}}, http.StatusOK)
	if p.told(t, call{as: p.api}, token).Active {
		t.Error("the token is still active")
	}
}

func (p *oidcProvider) checkRubbish(t *testing.T) {
	r := p.introspect(call{as: p.api}, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJub2JvZHkifQ.c2lnbmF0dXJl").do(t)
	if r.status != http.StatusBadRequest || !strings.Contains(string(r.body), "unsupported_token_type") {
		t.Errorf("status %d: %s", r.status, r.body)
	}
}

func (p *oidcProvider) checkLogout(t *testing.T, logouts <-chan string) {
	b, s := p.loginAt(t)
	p.endSession(t, b, s)
	var logout string
	select {
	case logout = <-logouts:
	case <-time.After(10 * time.Second):
		t.Fatalf("no logout was announced\n%s", p.proc.log(t))
	}
	got := decode[struct {
		Issuer   string         `json:"iss"`
		Subject  string         `json:"sub"`
		Audience string         `json:"aud"`
		Session  string         `json:"sid"`
		Events   map[string]any `json:"events"`
	}](t, p.verify(t, logout, "logout+jwt", jose.RS256))
	if got.Issuer != p.issuer || got.Subject != "alice" || got.Audience != p.web.id || got.Session == "" ||
		got.Events["http://schemas.openid.net/event/backchannel-logout"] == nil {
		t.Errorf("the logout token says %+v", got)
	}
	if p.told(t, call{as: p.api}, s.access).Active {
		t.Error("the access token is still active")
	}
}

func (p *oidcProvider) checkMetadata(t *testing.T) {
	body, err := fetch(p.issuer + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	got := decode[struct {
		Aliases map[string]string `json:"mtls_endpoint_aliases"`
	}](t, body)
	if want := p.secure + "/token/introspection"; got.Aliases["introspection_endpoint"] != want {
		t.Errorf("it is %q, want %s", got.Aliases["introspection_endpoint"], want)
	}
}
