//go:build real

package realtest

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const fositeVersion = "0.49.0"

// fosite is main.go of testdata: the engine of Ory Hydra, with the handlers that it needs and no more.
type fosite struct {
	proc          *process
	issuer        string
	api, app, web oauthClient
	vault         vault
}

func startFosite(t *testing.T, v vault) *fosite {
	t.Helper()
	port := freePort(t)
	f := &fosite{
		issuer: fmt.Sprintf("http://127.0.0.1:%d", port),
		api:    oauthClient{"orders-api", v.secret("secret of orders-api")},
		app:    oauthClient{"orders-app", v.secret("secret of orders-app")},
		web:    oauthClient{"orders-web", v.secret("secret of orders-web")},
		vault:  v,
	}
	cmd := exec.Command(goProgram(t, "fosite"), strconv.Itoa(port))
	cmd.Env = append(os.Environ(), "ORDERS_API_SECRET="+f.api.secret, "ORDERS_APP_SECRET="+f.app.secret,
		"ORDERS_WEB_SECRET="+f.web.secret)
	f.proc = start(t, "fosite "+fositeVersion, cmd)
	f.proc.await(t, time.Minute, func() bool { return responds(f.issuer + "/ready") })
	return f
}

// goProgram builds a program of testdata, which has a module of its own: what it needs is none of the product's.
func goProgram(t *testing.T, name string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	begun := time.Now()
	command(t, 10*time.Minute, filepath.Join("testdata", name), "go", "build", "-o", program, ".")
	t.Logf("%s is built after %v", name, time.Since(begun).Round(100*time.Millisecond))
	return program
}

// issuerWith configures the sidecar by the endpoint: this server has no metadata.
func (f *fosite) issuerWith(dialect string) string {
	return fmt.Sprintf(`  - name: fosite
    issuer: %q
    dialect: %s
    introspection_endpoint: %q
    token_endpoint: %q
    allow_insecure_http: true
    client: {id: %q, secret: {env: CLIENT_SECRET}}
    audience: [orders-api]
    tenant: [/tenant]
    timeout: 8s
    cache: {ttl: 1s, negative_ttl: 1s}`, f.issuer, dialect, f.issuer+"/introspect", f.issuer+"/token", f.api.id)
}

// party is what the drill needs of fosite. Its answers have no token_type and nothing else that tells what a token is
// for.
func (f *fosite) party() party {
	service := facts{
		Kind: "unknown", Issuer: f.issuer, ClientID: "orders-app", Tenant: "acme", Scopes: []string{"orders:read"},
		Audiences: []string{"orders-api"},
	}
	service.Subject.ID, service.Subject.Type = "orders-app", "client" // no sub at all, which the dialect can read
	user := service
	user.ClientID = "orders-web"
	user.Subject.ID, user.Subject.Type, user.Subject.Username = "alice", "user", "alice"
	return party{
		name:    "fosite " + fositeVersion,
		issuer:  f.issuerWith("hydra"),
		secret:  f.api.secret,
		ways:    map[string]string{"client_credentials": "auth: client_credentials"},
		lacks:   map[string]string{"ID token": "none issued", dpopColumn: none, mtlsColumn: none, signedColumn: none},
		service: f.service,
		login:   f.login,
		revoke: func(t *testing.T, token string) {
			f.app.post(t, f.issuer+"/revoke", url.Values{"token": {token}}, http.StatusOK)
		},
		// The access token goes with the refresh token.
		logout: func(t *testing.T, s session) {
			f.web.post(t, f.issuer+"/revoke", url.Values{"token": {s.refresh}}, http.StatusOK)
		},
		stop:      f.proc.stop,
		asService: service,
		asUser:    user,
	}
}

func (f *fosite) service(t *testing.T, aud audience) string {
	t.Helper()
	return f.serviceAt(t, "", aud)
}

// serviceAt asks the server at a path, which says whether access tokens are JWTs.
func (f *fosite) serviceAt(t *testing.T, path string, aud audience) string {
	t.Helper()
	return f.app.tokens(t, f.vault, f.issuer+path+"/token", url.Values{
		"grant_type": {"client_credentials"}, "scope": {"orders:read"}, "audience": {string(aud)},
	}).access
}

func (f *fosite) login(t *testing.T) session {
	t.Helper()
	return f.loginAt(t, "")
}

func (f *fosite) loginAt(t *testing.T, path string) session {
	t.Helper()
	b := newBrowser(t, "fosite", func(string) url.Values { return nil })
	return b.login(t, f.vault, codeFlow{f.web, f.issuer + path + "/authorize", f.issuer + path + "/token", url.Values{
		"scope": {"orders:read"}, "audience": {string(ours)},
	}})
}

// unmarked shows why the dialect must be set for this engine. What it says of a refresh token is, member for member,
// what it says of the access token beside it: the sidecar can know nothing from the answer and lets it in. Only the
// mark in the token itself tells, and that is what dialect hydra reads.
func (f *fosite) unmarked(t *testing.T, v vault) {
	s := f.login(t)
	sc := startSidecar(t, v, setup{issuer: f.issuerWith("rfc7662"), secret: f.api.secret})
	for name, token := range map[string]string{"access token": s.access, "refresh token": s.refresh} {
		a := sc.decide(t, get(token))
		if a.String() != "allow 200" {
			t.Errorf("%s: %s, want allow 200", name, a)
		}
		if got := sc.logged(t, a.ID).Kind; got != "unknown" {
			t.Errorf("%s: the policy read the kind %q, want unknown", name, got)
		}
	}
}

// structured looks at JWT access tokens, whose scopes are in scp.
func (f *fosite) structured(t *testing.T) answer {
	client := f.party().asService
	user := f.party().asUser
	user.Subject.Type, user.Subject.Username = "unknown", "" // a sub alone may name anything
	const jwtPath = "/jwt"
	var last answer
	for _, mode := range []string{"jwt", "introspect_opaque", "introspect", "jwt_then_introspect"} {
		issuer := strings.Replace(f.issuerWith("hydra"), "/introspect\"", jwtPath+"/introspect\"", 1)
		sc := startSidecar(t, f.vault, setup{secret: f.api.secret,
			issuer: fmt.Sprintf("%s\n    jwks_uri: %q\n    mode: %s", issuer, f.issuer+"/jwks", mode)})
		token, got := f.serviceAt(t, jwtPath, ours), f.loginAt(t, jwtPath)
		if last = sc.decide(t, get(token)); last.String() != "allow 200" {
			t.Fatalf("%s: %s, want allow 200", mode, last)
		}
		byUser := sc.decide(t, get(got.access))
		if byUser.String() != "allow 200" {
			t.Fatalf("%s, of a user: %s, want allow 200", mode, byUser)
		}
		if mode == "jwt" || mode == "introspect_opaque" {
			client.Source, user.Source = "jwt", "jwt"
			checkFacts(t, sc.logged(t, last.ID), client)
			checkFacts(t, sc.logged(t, byUser.ID), user)
		}
		for name, token := range map[string]string{
			"refresh token": got.refresh, "changed": changed(t, token),
			"for another audience": f.serviceAt(t, jwtPath, foreign),
		} {
			if a := sc.decide(t, get(token)); a.String() != "unauthenticated 401 invalid_token" {
				t.Errorf("%s, %s: %s, want unauthenticated 401 invalid_token", mode, name, a)
			}
		}
		f.app.post(t, f.issuer+jwtPath+"/revoke", url.Values{"token": {token}}, http.StatusOK)
		if mode == "introspect" || mode == "jwt_then_introspect" {
			awaitRefusal(t, sc, token)
		}
	}
	return last
}
