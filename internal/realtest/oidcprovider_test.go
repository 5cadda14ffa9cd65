//go:build real

package realtest

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const oidcProviderVersion = "9.13.3"

// Resource indicators that as.mjs knows.
const (
	ordersResource   = "https://orders.acme.example/api"
	jwtResource      = "https://orders.acme.example/jwt" // with tokens after RFC 9068, for the audience of orders
	shippingResource = "https://shipping.acme.example/api"
)

// oidcProvider is as.mjs of testdata. Its issuer is a plain listener; a secure one beside it, which its metadata name
// in mtls_endpoint_aliases, asks for certificates.
type oidcProvider struct {
	proc           *process
	issuer, secure string
	ca             testkit.Authority // of the secure listener, and of the client tls
	oidcClients
	vault vault
}

// nowhere is where nothing listens.
const nowhere = "http://127.0.0.1:9/logout"

// startOIDCProvider installs what the lock file names into a directory of its own, and starts it. The end of a session
// is announced to logout (OpenID Connect Back-Channel Logout 1.0), for the client web.
func startOIDCProvider(t *testing.T, v vault, logout string) *oidcProvider {
	t.Helper()
	node, npm := tool(t, "node", "install Node 20 or newer"), tool(t, "npm", "install npm")
	dir := t.TempDir()
	for _, name := range []string{"as.mjs", "package.json", "package-lock.json", ".npmrc"} {
		testkit.WriteFile(t, filepath.Join(dir, name),
			testkit.ReadFile(t, filepath.Join("testdata", "oidc-provider", name)))
	}
	command(t, 5*time.Minute, dir, npm, "ci", "--ignore-scripts", "--cache", filepath.Join(cacheDir(t), "npm"))

	port, securePort, ca := freePort(t), freePort(t), testkit.NewAuthority(t)
	p := &oidcProvider{
		issuer: fmt.Sprintf("http://127.0.0.1:%d", port), secure: fmt.Sprintf("https://127.0.0.1:%d", securePort),
		ca: ca, oidcClients: newOIDCClients(t, v, ca), vault: v,
	}
	pair := ca.Server(t)
	certificate, key := pair.PEM(), pair.KeyPEM(t)
	root := ca.PEM()
	config, err := json.Marshal(map[string]any{
		"port": port, "secure_port": securePort, "tls": map[string]string{"cert": certificate, "key": key, "ca": root},
		"cookie_key": rand.Text(), "clients": p.registered(logout),
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, "as.mjs")
	cmd.Dir = dir
	cmd.Stdin = bytes.NewReader(config)
	begun := time.Now()
	p.proc = start(t, "oidc-provider "+oidcProviderVersion, cmd)
	p.proc.await(t, time.Minute, func() bool { return responds(p.issuer + "/.well-known/openid-configuration") })
	t.Logf("oidc-provider %s is ready after %v", oidcProviderVersion, time.Since(begun).Round(time.Millisecond))
	return p
}

// issuerWith configures the sidecar by the issuer: the endpoints are found in the metadata.
func (p *oidcProvider) issuerWith(more string) string {
	return fmt.Sprintf(`  - name: oidc-provider
    issuer: %q
    dialect: oidc-provider
    allow_insecure_http: true
    audience: [orders-api]
    tenant: [/tenant]
    roles: ["/https:~1~1acme.example~1roles"]
    timeout: 8s
    cache: {ttl: 1s, negative_ttl: 1s}
%s`, p.issuer, more)
}

// party is what the drill needs of oidc-provider. The claim with the roles is named by a URL, so its pointer has
// escapes.
func (p *oidcProvider) party() party {
	service := facts{
		Issuer: p.issuer, ClientID: "orders-app", Tenant: "acme",
		Scopes: []string{"orders:read"}, Audiences: []string{"orders-api"}, Roles: []string{"order-reader"},
	}
	service.Subject.ID, service.Subject.Type = "orders-app", "client"
	// A sub alone may name anything: it is the session in the answer that tells a person.
	user := service
	user.ClientID = "orders-web"
	user.Subject.ID, user.Subject.Type = "alice", "user"
	return party{
		name:    "oidc-provider " + oidcProviderVersion,
		issuer:  p.issuerWith(fmt.Sprintf("    client: {id: %q, secret: {env: CLIENT_SECRET}}", p.api.id)),
		secret:  p.api.secret,
		service: p.service,
		login:   p.login,
		revoke: func(t *testing.T, token string) {
			p.app.post(t, p.issuer+"/token/revocation", url.Values{"token": {token}}, http.StatusOK)
		},
		// With the refresh token goes the grant, and with the grant go its access tokens.
		logout: func(t *testing.T, s session) {
			p.web.post(t, p.issuer+"/token/revocation", url.Values{"token": {s.refresh}}, http.StatusOK)
		},
		stop:      p.proc.stop,
		asService: service,
		asUser:    user,
	}
}

func (p *oidcProvider) service(t *testing.T, aud audience) string {
	t.Helper()
	resource := ordersResource
	if aud == foreign {
		resource = shippingResource
	}
	return p.app.tokens(t, p.vault, p.issuer+"/token", forOrders(resource)).access
}

func (p *oidcProvider) login(t *testing.T) session {
	t.Helper()
	_, s := p.loginAt(t)
	return s
}

// loginAt logs alice in and consents, in a browser that may log her out again.
func (p *oidcProvider) loginAt(t *testing.T) (*browser, session) {
	t.Helper()
	return p.loginFor(t, "openid orders:read")
}

func (p *oidcProvider) loginFor(t *testing.T, scope string) (*browser, session) {
	t.Helper()
	b := newBrowser(t, "oidc-provider", func(page string) url.Values {
		switch {
		case strings.Contains(page, `value="login"`):
			return url.Values{"prompt": {"login"}, "login": {"alice"}, "password": {"any"}}
		case strings.Contains(page, `value="consent"`):
			return url.Values{"prompt": {"consent"}}
		}
		return nil
	})
	return b, b.login(t, p.vault, codeFlow{p.web, p.issuer + "/auth", p.issuer + "/token", url.Values{
		"scope": {scope}, "prompt": {"consent"}, "resource": {ordersResource},
	}})
}

// endSession logs alice out (OpenID Connect RP-Initiated Logout 1.0). The announcement has been made when it returns,
// and the tokens of the session are no longer active.
func (p *oidcProvider) endSession(t *testing.T, b *browser, s session) {
	t.Helper()
	_, _, page := b.visit(t, p.issuer+"/session/end?"+url.Values{"id_token_hint": {s.id}}.Encode(), nil)
	xsrf := regexp.MustCompile(`name="xsrf" value="([^"]+)"`).FindStringSubmatch(page)
	if xsrf == nil {
		t.Fatalf("log out at oidc-provider: no form\n%s", tail(page))
	}
	status, _, page := b.visit(t, p.issuer+"/session/end/confirm", url.Values{"xsrf": {xsrf[1]}, "logout": {"yes"}})
	if status >= http.StatusBadRequest {
		t.Fatalf("log out at oidc-provider: status %d\n%s", status, tail(page))
	}
}
