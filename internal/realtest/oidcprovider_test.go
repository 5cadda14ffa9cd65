//go:build real

package realtest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const oidcProviderVersion = "9.13.3"

// Resource indicators that as.mjs knows, and where it sends people back to. Nothing listens there.
const (
	ordersResource   = "https://orders.acme.example/api"
	shippingResource = "https://shipping.acme.example/api"
	callback         = "http://127.0.0.1:9/callback"
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

// login goes through the whole authorization code flow (RFC 6749 section 4.1, RFC 7636), as a browser would.
func (p *oidcProvider) login(t *testing.T) session {
	t.Helper()
	verifier := rand.Text() + rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	code := p.authorize(t, url.Values{
		"client_id": {p.web.id}, "response_type": {"code"}, "redirect_uri": {callback}, "resource": {ordersResource},
		"scope":          {"openid orders:read"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	})
	s := p.web.tokens(t, p.vault, p.issuer+"/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}, "resource": {ordersResource},
	})
	if s.refresh == "" || s.id == "" {
		t.Fatal("log in at oidc-provider: no refresh token, or no ID token")
	}
	return s
}

// authorize logs alice in, consents, and returns the code.
func (p *oidcProvider) authorize(t *testing.T, query url.Values) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := client()
	browser.Jar = jar
	at := p.issuer + "/auth?" + query.Encode()
	var form url.Values // to post next; nil to get
	for range 12 {
		status, location, body := visit(t, browser, at, form)
		switch {
		case strings.HasPrefix(location, callback):
			u, err := url.Parse(location)
			if err != nil || u.Query().Get("code") == "" {
				t.Fatalf("log in at oidc-provider: it answers %q", u.Query().Get("error_description"))
			}
			return u.Query().Get("code")
		case location != "":
			at, form = location, nil
		case strings.Contains(body, `value="login"`):
			form = url.Values{"prompt": {"login"}, "login": {"alice"}, "password": {"any"}}
		case strings.Contains(body, `value="consent"`):
			form = url.Values{"prompt": {"consent"}}
		default:
			t.Fatalf("log in at oidc-provider: status %d\n%s", status, tail(body))
		}
	}
	t.Fatal("log in at oidc-provider: too many steps")
	return ""
}

// visit asks for a page, or posts a form to it. location is absolute, and empty when the answer is a page.
func visit(t *testing.T, browser *http.Client, at string, form url.Values) (status int, location, body string) {
	t.Helper()
	ask := func() (*http.Response, error) { return browser.Get(at) }
	if form != nil {
		ask = func() (*http.Response, error) { return browser.PostForm(at, form) }
	}
	resp, err := ask()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if u, err := resp.Location(); err == nil {
		location = u.String()
	}
	return resp.StatusCode, location, string(page)
}
