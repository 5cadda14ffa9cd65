package app

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/introspect/route"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
	"github.com/authz-sidecar/sidecar/internal/testkit/jwks"
)

// raw sends a request as it is, for clients that do not tidy up paths, and returns the status.
func raw(t *testing.T, to, request string) int {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(to, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// TestNoPathLeadsPastTheKeyOfTheAdminListener: events need no key, and their paths are no way to what does.
func TestNoPathLeadsPastTheKeyOfTheAdminListener(t *testing.T) {
	tr := newTransmitter(t, func() string { return "" })
	w := start(t, func(c *config.Config) {
		c.Issuers[0].Cache.TTL = time.Hour
		c.Listen.Admin.BearerKeysFile = testkit.TempFile(t, "keys", callerKey+"\n")
		receivedFrom(t, tr, "push", c)
	})
	tok := w.token(t, good())
	w.ask(t, tok)
	calls := w.issuer.Calls()
	for _, target := range []string{
		"/v1/evict", "/v1/events/../evict", "/v1/events/dev/../../evict", "/v1/events/%2e%2e/evict",
		"/v1/events/..%2fevict", "/v1/events//../evict",
		"/v1/events/%2E%2E%2Fevict", "//v1/evict", "/v1//evict", "/v1/./evict", "/v1/evict/", "/V1/evict",
		"/v1/evict?x=/v1/events/dev", "/v1/evict;/v1/events/dev",
		w.admin + "/v1/evict", "http://elsewhere/v1/events/../evict", "/v1/events/dev\\..\\..\\evict",
		"/livez/../v1/evict", "/readyz/../v1/evict",
		"/v1/events/", "/v1/events/unknown/shared-signals", "/v1/events/unknown/backchannel-logout",
		"/v1/events/dev/../unknown/shared-signals",
		"/v1/events/dev%2fshared-signals", "/v1/events/dev/shared-signals/", "/v1/events/DEV/shared-signals",
		"/v1/events/dev%00/shared-signals", "/v1/events/dev/keycloak/k_logout",
	} {
		body := `{"all":true}`
		code := raw(t, w.admin, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "+
			"application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", target, len(body), body))
		if code < 300 || code >= 500 {
			t.Errorf("%s: %d", target, code)
		}
	}
	for _, target := range []string{"/v1/status", "/metrics", "/v1/events/../status",
		"/v1/events/%2e%2e/%2e%2e/metrics", "/v1/events/../../metrics"} {
		code := raw(t, w.admin, "GET "+target+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		if code < 300 || code >= 500 {
			t.Errorf("%s: %d", target, code)
		}
	}
	if a := w.ask(t, tok); !a.Allow || w.issuer.Calls() != calls {
		t.Errorf("a request evicted: %v, %d questions", a, w.issuer.Calls()-calls)
	}
}

func TestTheAPIListenerNeitherEvictsNorTakesEvents(t *testing.T) {
	tr := newTransmitter(t, func() string { return "" })
	w := start(t, func(c *config.Config) { receivedFrom(t, tr, "push", c) })
	for _, path := range []string{
		"/v1/evict", "/v1/events/dev/shared-signals", "/v1/events/dev/backchannel-logout",
		"/v1/events/dev/keycloak/k_logout", "/metrics",
		"/v1/decisions/../evict", "/v1/decisions/%2e%2e/evict", "/v1/decisions/../events/dev/shared-signals",
	} {
		code := raw(t, w.api, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: "+
			"application/json\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{\"all\":true}")
		if code != http.StatusNotFound {
			t.Errorf("%s: %d", path, code)
		}
	}
}

// endless is a body that counts how much of it was taken.
type endless struct{ left, taken atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.left.Add(-int64(len(p))) < 0 {
		return 0, io.EOF
	}
	e.taken.Add(int64(len(p)))
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// TestHugeEventsAreNotRead: their senders are not authenticated yet.
func TestHugeEventsAreNotRead(t *testing.T) {
	tr := newTransmitter(t, func() string { return "" })
	w := start(t, func(c *config.Config) {
		receivedFrom(t, tr, "push", c)
		c.Events[0].KeycloakAdmin.ClientID, c.Events[0].KeycloakAdmin.Algorithms = "sidecar", []string{"RS256"}
	})
	const size = 256 << 20
	for path, header := range map[string][2]string{
		"/v1/events/dev/shared-signals":     {"application/secevent+jwt", streamHeader},
		"/v1/events/dev/backchannel-logout": {"application/x-www-form-urlencoded", ""},
		"/v1/events/dev/keycloak/k_logout":  {"text/plain", ""},
		"/v1/events/unknown/shared-signals": {"application/secevent+jwt", streamHeader},
		"/v1/evict":                         {"application/json", ""},
	} {
		body := &endless{}
		body.left.Store(size)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.admin+path, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", header[0])
		r.Header.Set("Authorization", header[1])
		code, _, err := w.answered(r)
		if err == nil && (code < 400 || code >= 500) { // an error is a connection that was closed before all was sent
			t.Errorf("%s: %d", path, code)
		}
		if taken := body.taken.Load(); taken > size/4 { // what the sockets hold cannot be seen
			t.Errorf("%s took %d bytes", path, taken)
		}
	}
	if a := w.ask(t, w.token(t, good())); !a.Allow {
		t.Errorf("afterwards a good token is %v", a)
	}
}

// TestAFloodOfForgedEventsCostsTheServerNothing: any client can send logout tokens that name unknown keys.
func TestAFloodOfForgedEventsCostsTheServerNothing(t *testing.T) {
	t.Parallel()
	var fetched atomic.Int64
	tr := newTransmitter(t, func() string { fetched.Add(1); return "" })
	w := start(t, func(c *config.Config) {
		c.Issuers[0].Cache.TTL = time.Hour
		receivedFrom(t, tr, "push", c)
	})
	tok := w.token(t, good())
	w.ask(t, tok)
	calls := w.issuer.Calls()
	began, now := time.Now(), time.Now().Unix()
	var running sync.WaitGroup
	for n := range 100 { // 64 of them wait for newer keys
		running.Go(func() {
			for i := range 4 {
				header := testkit.Base64URL(fmt.Appendf(nil,
					`{"alg":"ES256","typ":"logout+jwt","kid":"unknown-%d-%d"}`,
					n, i))
				claims := testkit.Base64URL(fmt.Appendf(nil,
					`{"iss":%q,"aud":"web","iat":%d,"exp":%d,"jti":"%d-%d","sub":"alice","events":{"http://schemas.openid.net/event/backchannel-logout":{}}}`, w.issuer.Issuer(), now, now+60, n, i))
				code := w.form(t, "/v1/events/dev/backchannel-logout",
					url.Values{"logout_token": {header + "." + claims + "." + strings.Repeat("A", 86)}})
				if code != http.StatusBadRequest {
					t.Errorf("status %d", code)
				}
			}
		})
	}
	running.Wait()
	// The first fetches are up to 4 s apart, and all others 5 s.
	if n, most := fetched.Load(), 6+int64(time.Since(began)/(4*time.Second)); n > most {
		t.Errorf("the keys were fetched %d times in %s", n, time.Since(began))
	}
	if a := w.ask(t, tok); !a.Allow || w.issuer.Calls() != calls {
		t.Errorf("forged events evict: %v, %d questions", a, w.issuer.Calls()-calls)
	}
	if n := w.logger.Count("event was not taken"); n > 5 {
		t.Errorf("%d lines in the log", n)
	}
}

// TestBCP3_NoJWTOfAnotherKindPassesForAnAccessToken: the keys of the issuer sign events, logout tokens and proofs too.
// And no access token passes for an event.
func TestBCP3_NoJWTOfAnotherKindPassesForAnAccessToken(t *testing.T) {
	for _, mode := range []authz.Mode{authz.ModeIntrospect, authz.ModeJWT, authz.ModeJWTThenIntrospect} {
		t.Run(string(mode), func(t *testing.T) {
			var keys string // is there before the first fetch
			tr := newTransmitter(t, func() string { return keys })
			w := start(t, func(c *config.Config) {
				keys = c.Issuers[0].Endpoint.Issuer + "/jwks"
				receivedFrom(t, tr, "push", c)
				c.Issuers[0].Mode, c.Issuers[0].Dialect.Audience = mode, []string{"orders-api"}
			})
			g := good()
			g.TokenFormat = devissuer.JWT
			access := w.token(t, g)
			if a := w.ask(t, access); !a.Allow {
				t.Fatalf("an access token is %v", a)
			}
			now := time.Now().Unix()
			claims := map[string]any{
				"iss": w.issuer.Issuer(), "sub": "alice", "client_id": "web", "scope": "orders:read",
				"aud": "orders-api", "tenant": "acme", "iat": now, "exp": now + 60, "jti": "x",
			}
			for _, typ := range []string{"logout+jwt", "secevent+jwt", "dpop+jwt", "JWT", "token-introspection+jwt",
				"client-authentication+jwt", "id_token+jwt"} {
				if a := w.ask(t, jwks.Sign(t, tr.key, typ, claims)); a.Allow || a.Kind != "unauthenticated" {
					t.Errorf("a %s is %v", typ, a)
				}
			}
			if code := w.form(t, "/v1/events/dev/backchannel-logout",
				url.Values{"logout_token": {access}}); code != http.StatusBadRequest {
				t.Errorf("an access token as a logout token: %d", code)
			}
			for _, set := range []string{access, tr.loggedOut(t, "1", "s", w.issuer.Issuer())} {
				if code, _ := w.pushed(t, "/v1/events/dev/shared-signals", set,
					streamHeader); code != http.StatusBadRequest {
					t.Errorf("something else as an event: %d", code)
				}
			}
		})
	}
}

// TestATokenGoesToNoIssuerThatTheRequestDidNotName: hosts and headers that no client should send. Whatever becomes of
// the request, the second issuer sees only tokens of requests that are clearly its own.
func TestATokenGoesToNoIssuerThatTheRequestDidNotName(t *testing.T) {
	second := authserver.Start(t, knowsTheSidecar())
	w := start(t, func(c *config.Config) {
		byHeader, byHost := c.Issuers[0], c.Issuers[0]
		byHeader.Endpoint.Name, byHeader.Endpoint.Issuer = "by-header", second.Issuer()
		byHeader.Match = route.Match{Header: "x-tenant", Values: []string{"globex"}, Hosts: []string{"globex.example"}}
		byHost.Endpoint.Name = "by-host"
		byHost.Match.Default = true
		c.Issuers = []issuer.Config{byHost, byHeader}
	})
	for what, c := range map[string]struct {
		url, headers string
		second       bool
	}{
		"both, clearly":                  {"https://globex.example/orders/42", `"x-tenant":["globex"]`, true},
		"a host in capitals, with a dot": {"https://GLOBEX.example.:443/orders/42", `"X-Tenant":["globex"]`, true},
		"a path, and a Host":             {"/orders/42", `"Host":["globex.example"],"x-tenant":["globex"]`, true},
		"another host":                   {"https://acme.example/orders/42", `"x-tenant":["globex"]`, false},
		"another Host behind an absolute": {"https://acme.example/orders/42",
			`"host":["globex.example"],"x-tenant":["globex"]`, false},
		"a host that begins so": {"https://globex.example.evil/orders/42", `"x-tenant":["globex"]`, false},
		"a host in the user": {"https://globex.example@acme.example/orders/42", `"x-tenant":["globex"]`,
			false},
		"a host behind a backslash": {"https://acme.example\\\\@globex.example/orders/42",
			`"x-tenant":["globex"]`, false},
		"a host in the path": {"https://acme.example/globex.example", `"x-tenant":["globex"]`, false},
		"X-Forwarded-Host": {"https://acme.example/orders/42",
			`"x-forwarded-host":["globex.example"],"x-tenant":["globex"]`, false},
		"two Hosts": {"/orders/42",
			`"host":["globex.example","acme.example"],"x-tenant":["globex"]`, false},
		"two Hosts in two spellings": {"/orders/42",
			`"host":["globex.example"],"Host":["acme.example"],"x-tenant":["globex"]`, false},
		"no Host": {"/orders/42", `"x-tenant":["globex"]`, false},
		"two fields": {"https://globex.example/orders/42", `"x-tenant":["globex","acme"]`,
			false},
		"two fields that agree": {"https://globex.example/orders/42", `"x-tenant":["globex","globex"]`,
			false},
		"two spellings": {"https://globex.example/orders/42",
			`"x-tenant":["globex"],"X-Tenant":["acme"]`, false},
		"a list in one field":       {"https://globex.example/orders/42", `"x-tenant":["globex,acme"]`, false},
		"blanks":                    {"https://globex.example/orders/42", `"x-tenant":[" globex"]`, false},
		"capitals":                  {"https://globex.example/orders/42", `"x-tenant":["GLOBEX"]`, false},
		"a letter that looks alike": {"https://globex.example/orders/42", `"x-tenant":["glob\u0435x"]`, false},
		"a NUL":                     {"https://globex.example/orders/42", `"x-tenant":["globex\u0000"]`, false},
		"a name that looks alike":   {"https://globex.example/orders/42", `"x_tenant":["globex"]`, false},
		"an empty value":            {"https://globex.example/orders/42", `"x-tenant":[""]`, false},
		"no value":                  {"https://globex.example/orders/42", `"x-tenant":[]`, false},
		"a value of a megabyte, nearly": {"https://globex.example/orders/42",
			`"x-tenant":["` + strings.Repeat("globex", 100_000) + `"]`, false},
		"a Kelvin sign, which folds to k": {"https://globex.example/orders/42",
			`"x-tenant":["globex"],"\u212aost":["a"]`, false},
		"another header that is no header": {"https://globex.example/orders/42",
			`"x-tenant":["globex"],"x-tenant ":["acme"]`, false},
	} {
		t.Run(what, func(t *testing.T) {
			before := second.Calls()
			body := fmt.Sprintf(
				`{"request":{"method":"GET","url":"%s","headers":{"authorization":["Bearer never-seen-%s"],%s}}}`, c.url, rand.Text(), c.headers)
			code, text, err := w.exchange(t.Context(), "POST", w.api+"/v1/decisions", body)
			if err != nil || code >= 500 || strings.Contains(text, `"allow":true`) {
				t.Errorf("%d %s %v", code, text, err)
			}
			if asked := second.Calls() > before; asked != c.second {
				t.Errorf("the second issuer was asked: %t", asked)
			}
		})
	}
}
