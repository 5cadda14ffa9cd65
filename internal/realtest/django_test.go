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
	"strconv"
	"testing"
	"time"
)

const djangoVersion = "3.4.1"

// djangoToolkit is server.py of testdata.
type djangoToolkit struct {
	proc          *process
	issuer        string
	api, app, web oauthClient
	password      string // of alice
	vault         vault
}

func startDjangoToolkit(t *testing.T, v vault) *djangoToolkit {
	t.Helper()
	port := freePort(t)
	d := &djangoToolkit{
		issuer:   fmt.Sprintf("http://127.0.0.1:%d", port),
		api:      oauthClient{"orders-api", v.secret("secret of orders-api")},
		app:      oauthClient{"orders-app", v.secret("secret of orders-app")},
		web:      oauthClient{"orders-web", v.secret("secret of orders-web")},
		password: v.secret("password of alice"),
		vault:    v,
	}
	cmd := exec.Command(filepath.Join(pythonEnvironment(t, "django"), "bin", "python"),
		absolute(t, "testdata/django/server.py"),
		strconv.Itoa(port))
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "DJANGO_SECRET_KEY="+rand.Text(),
		"ALICE_PASSWORD="+d.password,
		"ORDERS_API_SECRET="+d.api.secret, "ORDERS_APP_SECRET="+d.app.secret, "ORDERS_WEB_SECRET="+d.web.secret)
	d.proc = start(t, "django-oauth-toolkit "+djangoVersion, cmd)
	d.proc.await(t, time.Minute, func() bool { return answers(d.issuer + "/o/token/") })
	return d
}

// answers says whether there is any answer, whatever it says.
func answers(url string) bool {
	resp, err := client().Get(url)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return true
}

// party is what the drill needs of django-oauth-toolkit. Its answers have neither sub nor iss nor token_type, and an
// audience only when the token was asked for with one (RFC 8707).
func (d *djangoToolkit) party() party {
	service := facts{Kind: "unknown", Issuer: d.issuer, ClientID: "orders-app", Scopes: []string{"orders:read"},
		Audiences: []string{ordersResource}}
	service.Subject.Type = "unknown"
	user := service
	user.ClientID = "orders-web"
	user.Subject.Username = "alice"
	return party{
		name: "django-oauth-toolkit " + djangoVersion,
		// Without the slash at its end the endpoint is not found.
		issuer: fmt.Sprintf(`  - name: django
    issuer: %q
    dialect: rfc7662
    introspection_endpoint: %q
    token_endpoint: %q
    allow_insecure_http: true
    client: {id: %q, secret: {env: CLIENT_SECRET}}
    audience: [%q]
    timeout: 8s
    cache: {ttl: 1s, negative_ttl: 1s}`, d.issuer, d.issuer+"/o/introspect/", d.issuer+"/o/token/", d.api.id, ordersResource),
		secret:   d.api.secret,
		policies: "testdata/scopes-only",
		ways: map[string]string{"client_credentials": "auth: client_credentials, scope: [introspection]",
			"client_secret_post": "auth: client_secret_post"},
		lacks: map[string]string{
			"tenant": "none named", "ID token": "none issued", jwtColumn: none, dpopColumn: none, mtlsColumn: none,
			signedColumn: none,
		},
		service: d.service,
		login:   d.login,
		revoke: func(t *testing.T, token string) {
			d.app.post(t, d.issuer+"/o/revoke_token/", url.Values{"token": {token}}, http.StatusOK)
		},
		// The access token goes with the refresh token.
		logout: func(t *testing.T, s session) {
			d.web.post(t, d.issuer+"/o/revoke_token/", url.Values{"token": {s.refresh}}, http.StatusOK)
		},
		stop:      d.proc.stop,
		asService: service,
		asUser:    user,
	}
}

func (d *djangoToolkit) service(t *testing.T, aud audience) string {
	t.Helper()
	resource := ordersResource
	if aud == foreign {
		resource = shippingResource
	}
	return d.app.tokens(t, d.vault, d.issuer+"/o/token/", url.Values{
		"grant_type": {"client_credentials"}, "scope": {"orders:read"}, "resource": {resource},
	}).access
}

func (d *djangoToolkit) login(t *testing.T) session {
	t.Helper()
	return d.web.tokens(t, d.vault, d.issuer+"/o/token/", url.Values{
		"grant_type": {"password"}, "username": {"alice"}, "password": {d.password}, "scope": {"orders:read"},
		"resource": {ordersResource},
	})
}
