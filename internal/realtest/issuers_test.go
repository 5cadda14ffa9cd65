//go:build real

package realtest

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// witness stands before an introspection endpoint, passes everything on, and knows about which tokens it was asked.
type witness struct {
	url    string
	mu     sync.Mutex
	tokens []string
}

func newWitness(t *testing.T, endpoint string) *witness {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{}
	proxy := &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.Out.URL, r.Out.Host = target, target.Host },
		ErrorHandler: func(rw http.ResponseWriter, _ *http.Request, _ error) { rw.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		form, err2 := url.ParseQuery(string(body))
		if err != nil || err2 != nil {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		w.mu.Lock()
		w.tokens = append(w.tokens, form["token"]...)
		w.mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

func (w *witness) saw(token string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.tokens, token)
}

// several is one sidecar before three servers, with a witness at each of them.
type several struct {
	node      *oidcProvider
	java      *spring
	engine    *fosite
	witnesses map[string]*witness
	sidecar   *sidecar
}

// startSeveral gives opaque tokens to oidc-provider, but for those that begin as Ory's do, and JWTs to whom they name.
func startSeveral(t *testing.T, v vault) *several {
	t.Helper()
	s := &several{node: startOIDCProvider(t, v, nowhere), java: startSpring(t, v), engine: startFosite(t, v)}
	s.witnesses = map[string]*witness{
		"oidc-provider": newWitness(t, s.node.issuer+"/token/introspection"),
		"spring":        newWitness(t, s.java.issuer+"/oauth2/introspect"),
		"hydra":         newWitness(t, s.engine.issuer+"/introspect"),
	}
	issuer := func(dialect, issuer string, c oauthClient, match string) string {
		return fmt.Sprintf(`  - name: %[1]s
    issuer: %[2]q
    dialect: %[1]s
    introspection_endpoint: %[3]q
    allow_insecure_http: true
    client: {id: %[4]q, secret: {env: %[5]q}}
    match: {%[6]s}
    audience: [orders-api]
    tenant: [/tenant]
    timeout: 8s
    cache: {ttl: 1s, negative_ttl: 1s}
`, dialect, issuer, s.witnesses[dialect].url, c.id, "SECRET_OF_"+dialect, match)
	}
	s.sidecar = startSidecar(t, v, setup{
		issuer: issuer("oidc-provider", s.node.issuer, s.node.api, "default: true") +
			issuer("spring", s.java.issuer, s.java.api, "") +
			issuer("hydra", s.engine.issuer, s.engine.api, "prefixes: [ory_at_, ory_rt_]"),
		env: []string{"SECRET_OF_oidc-provider=" + s.node.api.secret, "SECRET_OF_spring=" + s.java.api.secret,
			"SECRET_OF_hydra=" + s.engine.api.secret},
	})
	return s
}

// TestSeveralIssuers sends tokens of all kinds. Each reaches its own server, and no other learns of it.
func TestSeveralIssuers(t *testing.T) {
	t.Parallel()
	s := startSeveral(t, vault{})
	nodeUser, javaUser, engineUser := s.node.login(t), s.java.login(t), s.engine.login(t)
	jwt := s.java.tokenOf(t, s.java.jwt)
	const allow, refuse, noIssuer = "allow 200", "unauthenticated 401 invalid_token", ""
	for _, c := range []struct {
		name, token, want, reaches string
	}{
		{"opaque, oidc-provider", s.node.service(t, ours), allow, "oidc-provider"},
		{"opaque of a user, oidc-provider", nodeUser.access, allow, "oidc-provider"},
		{"JWT, spring", jwt, allow, "spring"},
		{"opaque, fosite", s.engine.service(t, ours), allow, "hydra"},
		{"refresh token, oidc-provider", nodeUser.refresh, refuse, "oidc-provider"},
		{"ID token, oidc-provider", nodeUser.id, refuse, "oidc-provider"},
		{"JWT access token, oidc-provider, which introspects none", s.node.jwtToken(t), refuse, "oidc-provider"},
		{"changed JWT, spring", changed(t, jwt), refuse, "spring"},
		{"ID token, spring", javaUser.id, refuse, "spring"},
		{"opaque, spring, which has no rule for these", s.java.service(t, ours), refuse, "oidc-provider"},
		{"refresh token, fosite, told by how it begins", engineUser.refresh, refuse, noIssuer},
		{"opaque for another API, fosite", s.engine.service(t, foreign), refuse, "hydra"},
		{"JWT of an unknown issuer", named("https://login.unknown.example"), refuse, noIssuer},
		{"JWT that names spring with a slash", named(s.java.issuer + "/"), refuse, noIssuer},
		{"JWT that names no issuer", named(""), refuse, "oidc-provider"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.sidecar.decide(t, get(c.token))
			if a.String() != c.want {
				t.Errorf("%s, want %s", a, c.want)
			}
			own := map[string]string{"oidc-provider": s.node.issuer, "spring": s.java.issuer,
				"hydra": s.engine.issuer}[c.reaches]
			if got := s.sidecar.logged(t, a.ID).Issuer; a.Allow && got != own {
				t.Errorf("the policy read the issuer %q, want %s", got, own)
			}
			for name, w := range s.witnesses {
				if got, want := w.saw(c.token), name == c.reaches; got != want {
					t.Errorf("that %s saw the token is %v, want %v", name, got, want)
				}
			}
		})
	}
	t.Run("a server that is down affects its own tokens only", s.serverDown)
}

func (s *several) serverDown(t *testing.T) {
	s.java.proc.stop(t)
	for token, want := range map[string]string{
		named(s.java.issuer):      "unavailable 503 temporarily_unavailable",
		s.node.service(t, ours):   "allow 200",
		s.engine.service(t, ours): "allow 200",
	} {
		if a := s.sidecar.decide(t, get(token)); a.String() != want {
			t.Errorf("%s, want %s", a, want)
		}
	}
}

// named is a forged JWT, which names an issuer, or none.
func named(issuer string) string {
	encode := base64.RawURLEncoding.EncodeToString
	claims := `{"sub":"mallory"}`
	if issuer != "" {
		claims = fmt.Sprintf(`{"iss":%q,"sub":"mallory"}`, issuer)
	}
	const header, signature = `{"alg":"ES256","typ":"at+jwt"}`, "no signature at all"
	return encode([]byte(header)) + "." + encode([]byte(claims)) + "." + encode([]byte(signature))
}
