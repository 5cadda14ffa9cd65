//go:build real

package realtest

import (
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

const (
	keycloakVersion = "26.7.3"
	keycloakSHA256  = "77657f30b7e90d70f727712ce1c967f430fd6a5e9f458d32d8c6df0635345f47"
)

// keycloak is a Keycloak with the realm of testdata.
type keycloak struct {
	proc           *process
	realm          string // URL
	api, lax       oauthClient
	app, other     oauthClient
	user, password string
	vault          vault
}

// startKeycloak unpacks a fresh Keycloak and starts it with an empty database in memory.
func startKeycloak(t *testing.T, v vault) *keycloak {
	t.Helper()
	tool(t, "java", "install a Java 17 runtime")
	archive := keycloakArchive(t)
	home := t.TempDir()
	command(t, 5*time.Minute, "", tool(t, "tar", "install tar"), "-xzf", archive, "-C", home, "--strip-components=1")

	k := &keycloak{
		api: oauthClient{"orders-api", v.secret("secret of orders-api")}, lax: oauthClient{"orders-lenient", v.secret("secret of orders-lenient")},
		app: oauthClient{"orders-app", v.secret("secret of orders-app")}, other: oauthClient{"other-app", v.secret("secret of other-app")},
		user: "alice", password: v.secret("password of alice"), vault: v,
	}
	write(t, filepath.Join(home, "data", "import", "acme-realm.json"), strings.NewReplacer(
		"@ORDERS_API_SECRET@", k.api.secret, "@ORDERS_LENIENT_SECRET@", k.lax.secret, "@ORDERS_APP_SECRET@", k.app.secret,
		"@OTHER_APP_SECRET@", k.other.secret, "@ALICE_PASSWORD@", k.password,
	).Replace(string(read(t, "testdata/keycloak/realm.json"))))

	port := freePort(t)
	k.realm = fmt.Sprintf("http://127.0.0.1:%d/realms/acme", port)
	cmd := exec.Command(filepath.Join(home, "bin", "kc.sh"), "start-dev", "--import-realm", "--db=dev-mem", "--http-host=127.0.0.1", fmt.Sprintf("--http-port=%d", port))
	cmd.Env = append(os.Environ(), "JAVA_OPTS_KC_HEAP=-Xms64m -Xmx512m")
	begun := time.Now()
	k.proc = start(t, "Keycloak "+keycloakVersion, cmd)
	k.proc.await(t, 5*time.Minute, func() bool { return responds(k.realm + "/.well-known/openid-configuration") })
	t.Logf("Keycloak %s is ready after %v", keycloakVersion, time.Since(begun).Round(time.Second))
	return k
}

// keycloakArchive is the distribution, fetched from Maven Central when the cache does not hold it.
func keycloakArchive(t *testing.T) string {
	t.Helper()
	cache := cacheDir(t)
	name := "keycloak-quarkus-dist-" + keycloakVersion + ".tar.gz"
	archive := filepath.Join(cache, name)
	if sum, err := sha256Of(archive); err == nil && sum == keycloakSHA256 {
		return archive
	}
	// Fetched beside its place, so that nobody ever sees half of it.
	fresh, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(fresh) }()
	command(t, 10*time.Minute, fresh, tool(t, "mvn", "install Maven"), "-q", "-B", "dependency:copy",
		"-Dartifact=org.keycloak:keycloak-quarkus-dist:"+keycloakVersion+":tar.gz", "-DoutputDirectory="+fresh)
	sum, err := sha256Of(filepath.Join(fresh, name))
	if err != nil {
		t.Fatalf("fetch %s: %v", name, err)
	}
	if sum != keycloakSHA256 {
		t.Fatalf("fetch %s: its SHA-256 is %s, want %s", name, sum, keycloakSHA256)
	}
	if err := os.Rename(filepath.Join(fresh, name), archive); err != nil {
		t.Fatal(err)
	}
	return archive
}

func (k *keycloak) endpoint(name string) string { return k.realm + "/protocol/openid-connect/" + name }

// issuerAs configures the sidecar by the issuer alone: the endpoint is found in the metadata.
func (k *keycloak) issuerAs(c oauthClient, more string) string {
	return fmt.Sprintf(`  - name: keycloak
    issuer: %q
    dialect: keycloak
    allow_insecure_http: true
    client: {id: %q, secret: {env: CLIENT_SECRET}}
    tenant: [/tenant, /organization/tenant]
    timeout: 8s
    cache: {ttl: 1s, negative_ttl: 1s}
%s`, k.realm, c.id, more)
}

func (k *keycloak) service(t *testing.T, aud audience) string {
	t.Helper()
	c := k.app
	if aud == foreign {
		c = k.other
	}
	return c.tokens(t, k.vault, k.endpoint("token"), url.Values{"grant_type": {"client_credentials"}, "scope": {"orders:read"}}).access
}

func (k *keycloak) login(t *testing.T) session {
	t.Helper()
	s := k.app.tokens(t, k.vault, k.endpoint("token"), url.Values{
		"grant_type": {"password"}, "username": {k.user}, "password": {k.password}, "scope": {"openid orders:read"},
	})
	if s.refresh == "" || s.id == "" {
		t.Fatal("log in at Keycloak: no refresh token, or no ID token")
	}
	return s
}

// party is what the drill needs of Keycloak.
func (k *keycloak) party(v vault) party {
	service := facts{
		Issuer: k.realm, ClientID: "orders-app", Tenant: "acme",
		Scopes: []string{"orders:read", "profile"}, Audiences: []string{"orders-api"}, Roles: []string{"order-reader", "orders-api:viewer"},
	}
	service.Subject.ID, service.Subject.Type, service.Subject.Username = someID, "client", "service-account-orders-app"
	user := service
	user.Scopes, user.Roles = []string{"openid", "orders:read", "profile"}, []string{"order-reader", "orders-api:approver"}
	user.Subject.Type, user.Subject.Username = "user", "alice"
	return party{
		name:    "Keycloak " + keycloakVersion,
		issuer:  k.issuerAs(k.api, "    audience: [orders-api]"),
		secret:  k.api.secret,
		service: k.service,
		login:   k.login,
		revoke: func(t *testing.T, token string) {
			k.app.post(t, k.endpoint("revoke"), url.Values{"token": {token}}, http.StatusOK)
		},
		logout: func(t *testing.T, s session) {
			k.app.post(t, k.endpoint("logout"), url.Values{"refresh_token": {s.refresh}}, http.StatusOK, http.StatusNoContent)
		},
		stop:      k.proc.stop,
		asService: service,
		asUser:    user,
	}
}

// lenient asks as a client that Keycloak tells about every token: refresh and ID tokens are active then, name this API as
// an audience, and only their type tells them from access tokens.
func (k *keycloak) lenient(t *testing.T, v vault) {
	sc := startSidecar(t, v, setup{issuer: k.issuerAs(k.lax, "    audience: [orders-api]"), secret: k.lax.secret})
	s := k.login(t)
	if a := sc.decide(t, get(s.access)); a.String() != "allow 200" {
		t.Errorf("access token: %s, want allow 200", a)
	}
	for name, token := range map[string]string{"refresh token": s.refresh, "ID token": s.id} {
		if a := sc.decide(t, get(token)); a.String() != "unauthenticated 401 invalid_token" {
			t.Errorf("%s: %s, want unauthenticated 401 invalid_token", name, a)
		}
	}
	if a := sc.decide(t, get(k.service(t, foreign))); a.String() != "unauthenticated 401 invalid_token" {
		t.Errorf("a token without audience: %s, want unauthenticated 401 invalid_token", a)
	}
}
