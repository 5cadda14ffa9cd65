//go:build real

package realtest

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
	"time"
)

const zitadelVersion = "3.51.17"

// zitadel is main.go of testdata: the example server of the library that Zitadel is built on. Its opaque tokens look
// like JWE, and its users and their passwords are in its source.
type zitadel struct {
	proc               *process
	issuer             string // ends with a slash
	web, jwt, shipping oauthClient
	vault              vault
}

func startZitadel(t *testing.T, v vault) *zitadel {
	t.Helper()
	port := freePort(t)
	z := &zitadel{
		issuer:   fmt.Sprintf("http://127.0.0.1:%d/", port),
		web:      oauthClient{"orders-web", v.secret("secret of orders-web")},
		jwt:      oauthClient{"jwt-web", v.secret("secret of jwt-web")},
		shipping: oauthClient{"shipping-web", v.secret("secret of shipping-web")},
		vault:    v,
	}
	cmd := exec.Command(goProgram(t, "zitadel"), strconv.Itoa(port))
	cmd.Env = append(os.Environ(), "ORDERS_WEB_SECRET="+z.web.secret, "JWT_WEB_SECRET="+z.jwt.secret,
		"SHIPPING_WEB_SECRET="+z.shipping.secret)
	z.proc = start(t, "zitadel/oidc "+zitadelVersion, cmd)
	z.proc.await(t, time.Minute, func() bool { return responds(z.issuer + ".well-known/openid-configuration") })
	return z
}

func (z *zitadel) issuerAs(c oauthClient, more string) string {
	return fmt.Sprintf(`  - name: zitadel
    issuer: %q
    dialect: zitadel
    allow_insecure_http: true
    client: {id: %q, secret: {env: CLIENT_SECRET}}
    timeout: 8s
    cache: {ttl: 1s, negative_ttl: 1s}
%s`, z.issuer, c.id, more)
}

// party is what the drill needs of zitadel/oidc. It speaks of a token only to clients that the token is for, which
// here is the client that asked for it: the sidecar is that client too. So the server keeps audiences apart and names
// none. Tokens of services are for the service alone: other clients get no answer about them.
func (z *zitadel) party() party {
	user := facts{Kind: "unknown", Issuer: z.issuer, ClientID: "orders-web",
		Scopes: []string{"offline_access", "openid", "orders:read", "profile"}}
	user.Subject.ID, user.Subject.Type, user.Subject.Username = "id1", "user", "test-user@127.0.0.1"
	return party{
		name:     "zitadel/oidc " + zitadelVersion,
		issuer:   z.issuerAs(z.web, ""),
		secret:   z.web.secret,
		policies: "testdata/scopes-only",
		ways:     map[string]string{}, // it knows no other for this client
		lacks:    map[string]string{"tenant": "none named", dpopColumn: none, mtlsColumn: none, signedColumn: none},
		service: func(t *testing.T, aud audience) string {
			c := z.web
			if aud == foreign {
				c = z.shipping
			}
			return z.loginTo(t, c).access
		},
		login: func(t *testing.T) session { return z.loginTo(t, z.web) },
		revoke: func(t *testing.T, token string) {
			z.web.post(t, z.issuer+"revoke", url.Values{"token": {token}}, http.StatusOK)
		},
		// The access token goes with the refresh token.
		logout: func(t *testing.T, s session) {
			z.web.post(t, z.issuer+"revoke", url.Values{"token": {s.refresh}}, http.StatusOK)
		},
		stop:      z.proc.stop,
		asService: user,
		asUser:    user,
	}
}

func (z *zitadel) loginTo(t *testing.T, c oauthClient) session {
	t.Helper()
	id := regexp.MustCompile(`name="id" value="([^"]+)"`)
	b := newBrowser(t, "zitadel/oidc", func(page string) url.Values {
		m := id.FindStringSubmatch(page)
		if m == nil {
			return nil
		}
		return url.Values{"id": {m[1]}, "username": {"test-user@127.0.0.1"}, "password": {"verysecure"}}
	})
	return b.login(t, z.vault, codeFlow{c, z.issuer + "auth", z.issuer + "oauth/token", url.Values{
		"scope": {"openid profile offline_access orders:read"},
	}})
}

// structured looks at JWT access tokens. They have neither typ nor client_id, which the dialect knows, and no scope:
// validated locally alone, they open nothing that wants one.
func (z *zitadel) structured(t *testing.T) answer {
	var last answer
	for _, c := range []struct{ mode, want string }{
		{"jwt", "deny 403 insufficient_scope"}, {"introspect", "allow 200"}, {"jwt_then_introspect", "allow 200"},
	} {
		s := setup{secret: z.jwt.secret, policies: "testdata/scopes-only"}
		s.issuer = z.issuerAs(z.jwt, "    audience: [jwt-web]\n    absent_audience: accept\n    mode: "+c.mode)
		sc := startSidecar(t, z.vault, s)
		got := z.loginTo(t, z.jwt)
		if last = sc.decide(t, get(got.access)); last.String() != c.want {
			t.Fatalf("%s: %s, want %s", c.mode, last, c.want)
		}
		for name, token := range map[string]string{"ID token": got.id, "refresh token": got.refresh,
			"changed": changed(t, got.access)} {
			if a := sc.decide(t, get(token)); a.String() != "unauthenticated 401 invalid_token" {
				t.Errorf("%s, %s: %s, want unauthenticated 401 invalid_token", c.mode, name, a)
			}
		}
		if c.mode == "jwt" {
			continue // no server is asked: the token is good until it expires
		}
		z.jwt.post(t, z.issuer+"revoke", url.Values{"token": {got.access}}, http.StatusOK)
		awaitRefusal(t, sc, got.access)
	}
	return last
}
