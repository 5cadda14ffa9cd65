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
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/jwks"
)

const springVersion = "7.1.2"

// spring is Server.java of testdata: the authorization server of Spring Security.
type spring struct {
	proc           *process
	issuer, secure string
	ca             testkit.Authority // of the secure listener, and of who shows a certificate there
	// api, secretJWT and keyJWT introspect. The server fetches the keys of the last one.
	api, secretJWT      oauthClient
	keyJWT              keyClient
	app, jwt, web, ship oauthClient
	password            string // of alice
	vault               vault
}

func startSpring(t *testing.T, v vault) *spring {
	t.Helper()
	port, securePort := freePort(t), freePort(t)
	s := &spring{
		issuer: fmt.Sprintf("http://127.0.0.1:%d", port), secure: fmt.Sprintf("https://127.0.0.1:%d", securePort),
		ca: testkit.NewAuthority(t), keyJWT: keyClient{"orders-key-jwt", testkit.NewKey(t), testkit.NewKey(t)},
		password: v.secret("password of alice"), vault: v,
	}
	pair := s.ca.Server(t)
	certificate, key := pair.PEM(), pair.KeyPEM(t)
	root := s.ca.PEM()
	keys, _ := jwks.Serve(t, jwks.SignerOf(t, s.keyJWT.key, "ES256", ""), jwks.SignerOf(t, s.keyJWT.next, "ES256", ""))
	cmd := exec.Command(tool(t, "java", "install a Java 17 runtime"), "-Xmx256m", "-XX:+UseSerialGC",
		"-XX:TieredStopAtLevel=1",
		"-jar", springArchive(t), "--server.address=127.0.0.1", fmt.Sprintf("--server.port=%d", port))
	cmd.Env = append(os.Environ(), "ISSUER="+s.issuer, "ALICE_PASSWORD="+s.password,
		fmt.Sprintf("SECURE_PORT=%d", securePort), "TLS_CERT="+certificate, "TLS_KEY="+key, "TLS_CA="+root,
		"AUTH_JWKS="+keys, "ORDERS_KEY_JWT_SECRET="+rand.Text())
	for id, c := range map[string]*oauthClient{
		"orders-api": &s.api, "orders-secret-jwt": &s.secretJWT, "orders-app": &s.app, "orders-jwt": &s.jwt,
		"orders-web": &s.web, "shipping-app": &s.ship,
	} {
		*c = oauthClient{id, v.secret("secret of " + id)}
		cmd.Env = append(cmd.Env, strings.ToUpper(strings.ReplaceAll(id, "-", "_"))+"_SECRET="+c.secret)
	}
	begun := time.Now()
	s.proc = start(t, "Spring Authorization Server "+springVersion, cmd)
	metadata := s.issuer + "/.well-known/oauth-authorization-server"
	s.proc.await(t, 2*time.Minute, func() bool { return responds(metadata) })
	t.Logf("Spring Authorization Server %s is ready after %v", springVersion,
		time.Since(begun).Round(100*time.Millisecond))
	return s
}

// springArchive is the program, built by Maven. It is kept in the cache, by the hash of its sources.
func springArchive(t *testing.T) string {
	t.Helper()
	files := []string{"pom.xml", "src/main/java/realtest/Server.java"}
	sources := make([]string, len(files))
	for i, name := range files {
		sources[i] = filepath.Join("testdata", "spring", name)
	}
	dir := cached(t, "spring-", sources, func(fresh string) {
		project := t.TempDir()
		for i, name := range files {
			testkit.WriteFile(t, filepath.Join(project, name), testkit.ReadFile(t, sources[i]))
		}
		command(t, 10*time.Minute, project, tool(t, "mvn", "install Maven"), "-q", "-B", "package")
		testkit.WriteFile(t, filepath.Join(fresh, "server.jar"),
			testkit.ReadFile(t, filepath.Join(project, "target", "authorization-server-1.jar")))
	})
	return filepath.Join(dir, "server.jar")
}

// issuerWith configures the sidecar by the issuer: the endpoint is found in the metadata.
func (s *spring) issuerWith(more string) string {
	return s.issuerAs(fmt.Sprintf("id: %q, secret: {env: CLIENT_SECRET}", s.api.id), more)
}

// issuerAs is issuerWith for another client.
func (s *spring) issuerAs(c, more string) string {
	return fmt.Sprintf(`  - name: spring
    issuer: %q
    dialect: spring
    allow_insecure_http: true
    client: {%s}
    tenant: [/tenant]
    timeout: 8s
    cache: {ttl: 1s, negative_ttl: 1s}
%s`, s.issuer, c, more)
}

// party is what the drill needs of the Spring Authorization Server. Refresh and ID tokens are active to it: it says of
// the first neither audience nor scope, and of the second that it is for its client. The audience keeps both out.
func (s *spring) party() party {
	service := facts{
		Issuer: s.issuer, ClientID: "orders-app", Tenant: "acme",
		Scopes: []string{"orders:read"}, Audiences: []string{"orders-api"}, Roles: []string{"order-reader"},
	}
	service.Subject.ID, service.Subject.Type = "orders-app", "client"
	user := service
	user.ClientID, user.Scopes = "orders-web", []string{"openid", "orders:read"}
	user.Subject.ID, user.Subject.Type = "alice", "unknown" // a sub alone may name anything
	return party{
		name:    "Spring Authorization Server " + springVersion,
		issuer:  s.issuerWith("    audience: [orders-api]"),
		secret:  s.api.secret,
		service: s.service,
		login:   s.login,
		revoke: func(t *testing.T, token string) {
			s.app.post(t, s.issuer+"/oauth2/revoke", url.Values{"token": {token}}, http.StatusOK)
		},
		// The access token goes with the refresh token.
		logout: func(t *testing.T, got session) {
			s.web.post(t, s.issuer+"/oauth2/revoke", url.Values{"token": {got.refresh}}, http.StatusOK)
		},
		stop:      s.proc.stop,
		asService: service,
		asUser:    user,
	}
}

// tokenOf gets a token for the client alone. Its audience follows from the client.
func (s *spring) tokenOf(t *testing.T, c oauthClient) string {
	t.Helper()
	return c.tokens(t, s.vault, s.issuer+"/oauth2/token",
		url.Values{"grant_type": {"client_credentials"}, "scope": {"orders:read"}}).access
}

func (s *spring) service(t *testing.T, aud audience) string {
	t.Helper()
	if aud == foreign {
		return s.tokenOf(t, s.ship)
	}
	return s.tokenOf(t, s.app)
}

func (s *spring) login(t *testing.T) session {
	t.Helper()
	csrf := regexp.MustCompile(`name="_csrf"[^>]* value="([^"]+)"`)
	b := newBrowser(t, "Spring Authorization Server", func(page string) url.Values {
		m := csrf.FindStringSubmatch(page)
		if m == nil {
			return nil
		}
		return url.Values{"_csrf": {m[1]}, "username": {"alice"}, "password": {s.password}}
	})
	return b.login(t, s.vault, codeFlow{s.web, s.issuer + "/oauth2/authorize", s.issuer + "/oauth2/token",
		url.Values{"scope": {"openid orders:read"}}})
}

// bearer authenticates by a token of its own, which the server answers with a 401 without a body: a mistake of the
// sidecar, not of the caller.
func (s *spring) bearer(t *testing.T) {
	issuer := strings.Replace(s.issuerWith("    audience: [orders-api]"), "client: {", "client: {auth: bearer, ", 1)
	sc := startSidecar(t, s.vault, setup{issuer: issuer, secret: s.tokenOf(t, s.app)})
	if a := sc.decide(t, get(s.tokenOf(t, s.app))); a.String() != "misconfigured 503 misconfigured" {
		t.Errorf("%s, want misconfigured 503", a)
	}
}
