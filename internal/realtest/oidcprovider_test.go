//go:build real

package realtest

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const oidcProviderVersion = "9.13.3"

// Resource indicators that as.mjs knows.
const (
	ordersResource   = "https://orders.acme.example/api"
	shippingResource = "https://shipping.acme.example/api"
)

// oidcProvider is as.mjs of testdata, with opaque tokens.
type oidcProvider struct {
	proc          *process
	issuer        string
	api, app, web oauthClient
	vault         vault
}

// startOIDCProvider installs what the lock file names into a directory of its own, and starts it.
func startOIDCProvider(t *testing.T, v vault) party {
	t.Helper()
	node, npm := tool(t, "node", "install Node 20 or newer"), tool(t, "npm", "install npm")
	dir := t.TempDir()
	for _, name := range []string{"as.mjs", "package.json", "package-lock.json", ".npmrc"} {
		write(t, filepath.Join(dir, name), string(read(t, filepath.Join("testdata", "oidc-provider", name))))
	}
	command(t, 5*time.Minute, dir, npm, "ci", "--ignore-scripts", "--cache", filepath.Join(cacheDir(t), "npm"))

	port := freePort(t)
	p := &oidcProvider{
		issuer: fmt.Sprintf("http://127.0.0.1:%d", port),
		api:    oauthClient{"orders-api", v.secret("secret of orders-api")},
		app:    oauthClient{"orders-app", v.secret("secret of orders-app")},
		web:    oauthClient{"orders-web", v.secret("secret of orders-web")},
		vault:  v,
	}
	cmd := exec.Command(node, "as.mjs", fmt.Sprint(port))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ORDERS_API_SECRET="+p.api.secret, "ORDERS_APP_SECRET="+p.app.secret, "ORDERS_WEB_SECRET="+p.web.secret, "COOKIE_SECRET="+rand.Text())
	begun := time.Now()
	p.proc = start(t, "oidc-provider "+oidcProviderVersion, cmd)
	p.proc.await(t, time.Minute, func() bool { return responds(p.issuer + "/.well-known/openid-configuration") })
	t.Logf("oidc-provider %s is ready after %v", oidcProviderVersion, time.Since(begun).Round(time.Millisecond))
	return p.party()
}

// party is what the drill needs of oidc-provider. The claim with the roles is named by a URL, so its pointer has escapes.
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
		name: "oidc-provider " + oidcProviderVersion,
		issuer: fmt.Sprintf(`  - name: oidc-provider
    issuer: %q
    dialect: oidc-provider
    allow_insecure_http: true
    client: {id: %q, secret: {env: CLIENT_SECRET}}
    audience: [orders-api]
    tenant: [/tenant]
    roles: ["/https:~1~1acme.example~1roles"]
    timeout: 8s
    cache: {ttl: 1s, negative_ttl: 1s}`, p.issuer, p.api.id),
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
	return p.app.tokens(t, p.vault, p.issuer+"/token", url.Values{
		"grant_type": {"client_credentials"}, "scope": {"orders:read"}, "resource": {resource},
	}).access
}

// login is what a person does who logs in, and consents.
func (p *oidcProvider) login(t *testing.T) session {
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
	return b.login(t, p.vault, codeFlow{p.web, p.issuer + "/auth", p.issuer + "/token", url.Values{
		"scope": {"openid orders:read"}, "resource": {ordersResource},
	}})
}
