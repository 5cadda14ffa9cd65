package decision_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/introspect/route"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// twoServers are two issuers, told apart by host or by the header x-tenant, whose servers call every token active.
func twoServers(t *testing.T, match ...route.Match) (*issuer.Issuers, []*atomic.Int64) {
	t.Helper()
	var edits []func(*issuer.Config)
	for _, m := range match {
		edits = append(edits, func(c *issuer.Config) { c.Match = m })
	}
	return servers(t, edits...)
}

// servers are issuers whose servers call every token active, and of the client of-0, of-1 and so on.
func servers(t *testing.T, edits ...func(*issuer.Config)) (*issuer.Issuers, []*atomic.Int64) {
	t.Helper()
	var cfgs []issuer.Config
	var calls []*atomic.Int64
	for i, edit := range edits {
		n := &atomic.Int64{}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			n.Add(1)
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"active":true,"client_id":"of-%d"}`, i)
		}))
		t.Cleanup(server.Close)
		calls = append(calls, n)
		cfg := conf.Default[issuer.Config]()
		cfg.Endpoint.Name, cfg.Endpoint.IntrospectionEndpoint, cfg.Endpoint.AllowInsecureHTTP =
			fmt.Sprint(i), server.URL, true
		cfg.Endpoint.Client.ID, cfg.Endpoint.Client.Secret = "api", testkit.SecretFile(t, "s")
		cfg.Cache.TTL = 0
		edit(&cfg)
		cfgs = append(cfgs, cfg)
	}
	issuers, err := issuer.Open(cfgs, issuer.Deps{Fingerprints: secret.NewFingerprinter()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(issuers.Close)
	return issuers, calls
}

const tellsClient = `package authz

# METADATA
# entrypoint: true
decision := {"allow": true, "context": {"client": input.token.client_id}}
`

func TestABatchAsksEachIssuerAboutItsOwnUseOfOneToken(t *testing.T) {
	for name, match := range map[string][]route.Match{
		"by host": {{Hosts: []string{"host-0"}}, {Hosts: []string{"host-1"}}},
		"by header": {{Header: "x-tenant", Values: []string{"tenant-0"}},
			{Header: "x-tenant", Values: []string{"tenant-1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			issuers, calls := twoServers(t, match...)
			w := build(t,
				plan{rego: tellsClient, wrap: func(introspect.Introspector) introspect.Introspector {
					return issuers
				}})
			var queries []authz.Query
			for i := range 20 {
				queries = append(queries, authz.Query{Caller: "127.0.0.1:9",
					Request: authz.Request{Method: "GET", URL: fmt.Sprintf("https://host-%d/%d", i%2, i),
						Headers: map[string][]string{
							"authorization": {"Bearer one-token"}, "x-tenant": {fmt.Sprintf("tenant-%d", i%2)},
						}}})
			}
			for i, d := range w.point.DecideAll(t.Context(), queries) {
				w.expect(t, d, authz.Allow, http.StatusOK)
				if want := fmt.Sprintf(`{"client":"of-%d"}`, i%2); string(d.Context) != want {
					t.Errorf("item %d has facts %s, want %s", i, d.Context, want)
				}
			}
			if a, b := calls[0].Load(), calls[1].Load(); a != 1 || b != 1 {
				t.Errorf("the servers were asked %d and %d times, want once each", a, b)
			}
		})
	}
}

func TestSeveralTenantHeadersAreMalformed(t *testing.T) {
	issuers, calls := twoServers(t, route.Match{Header: "x-tenant", Values: []string{"a"}}, route.Match{Default: true})
	w := build(t,
		plan{rego: tellsClient, wrap: func(introspect.Introspector) introspect.Introspector { return issuers }})
	q := question("x", "Bearer some-token")
	q.Request.Headers["x-tenant"] = []string{"a", "b"}
	w.expect(t, w.point.Decide(t.Context(), q), authz.Malformed, http.StatusBadRequest, "invalid_request")
	if calls[0].Load()+calls[1].Load() != 0 {
		t.Error("a server was asked")
	}
}

func TestATokenOfNoConfiguredIssuerIsNoToken(t *testing.T) {
	issuers, calls := twoServers(t, route.Match{Prefixes: []string{"a_"}}, route.Match{Prefixes: []string{"b_"}})
	w := build(t,
		plan{rego: tellsClient, wrap: func(introspect.Introspector) introspect.Introspector { return issuers }})
	w.expect(t, w.point.Decide(t.Context(), question("x", "Bearer c_1")), authz.Unauthenticated,
		http.StatusUnauthorized, "invalid_token")
	if calls[0].Load()+calls[1].Load() != 0 {
		t.Error("a server was asked")
	}
}
