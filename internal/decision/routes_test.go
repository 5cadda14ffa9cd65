package decision_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// demanded is an Introspector that remembers what was demanded of it last.
type demanded struct {
	mu   sync.Mutex
	last authz.Freshness
}

func (d *demanded) Introspect(_ context.Context, q introspect.Question) (*authz.Claims, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = q.Freshness
	return &authz.Claims{Active: true, Kind: authz.AccessToken}, nil
}

// demands returns how to find out what a request demands, by routes and a policy.
func demands(t *testing.T, routes []decision.Route, rego string) func(method, url string) authz.Freshness {
	t.Helper()
	d := &demanded{}
	w := build(t, plan{rego: rego, answers: pass, routes: routes, wrap: func(introspect.Introspector) introspect.Introspector { return d }})
	return func(method, url string) authz.Freshness {
		d.last = authz.Freshness{}
		w.point.Decide(t.Context(), authz.Query{Request: authz.Request{Method: method, URL: url, Headers: map[string][]string{"authorization": {"Bearer some-token"}}}})
		return d.last
	}
}

func anew(mode introspect.Mode) authz.Freshness {
	return authz.Freshness{Mode: mode, Limited: true}
}

func TestTheFirstMatchingRouteDemands(t *testing.T) {
	of := demands(t, []decision.Route{
		{Methods: []string{"DELETE"}, MaxAge: "0s"},
		{Methods: []string{"GET"}, Hosts: []string{"Admin.example."}, Mode: introspect.JWT},
		{Paths: []string{"/admin/**", "/admin"}, Mode: introspect.Introspect, MaxAge: "0s"},
		{Paths: []string{"/orders/*", "/a b/c"}, MaxAge: "5s"},
		{Paths: []string{"/"}, Mode: introspect.IntrospectOpaque},
	}, "")
	five := authz.Freshness{MaxAge: 5 * time.Second, Limited: true}
	for request, want := range map[[2]string]authz.Freshness{
		{"DELETE", "https://api.example/orders/1"}: anew(""),
		{"delete", "https://api.example/orders/1"}: anew(""),
		{"GET", "https://admin.example/orders/1"}:  {Mode: introspect.JWT},
		{"HEAD", "https://ADMIN.example:8443/x"}:   {Mode: introspect.JWT},
		{"POST", "https://admin.example/orders/1"}: five,
		{"GET", "https://api.example/admin"}:       anew(introspect.Introspect),
		{"GET", "https://api.example/admin/"}:      anew(introspect.Introspect),
		{"GET", "https://api.example/admin/a/b"}:   anew(introspect.Introspect),
		{"GET", "https://api.example/%61dmin/%61"}: anew(introspect.Introspect),
		{"GET", "https://api.example/administer"}:  {},
		{"GET", "https://api.example/orders/1"}:    five,
		{"GET", "https://api.example/orders/*"}:    five,
		{"GET", "https://api.example/orders/**"}:   five,
		{"GET", "https://api.example/admin/**"}:    anew(introspect.Introspect),
		{"GET", "https://api.example/a%20b/c?x=/"}: five,
		{"GET", "https://api.example/orders"}:      {},
		{"GET", "https://api.example/orders/"}:     {},
		{"GET", "https://api.example/orders/1/2"}:  {},
		{"GET", "https://api.example/"}:            {Mode: introspect.IntrospectOpaque},
		{"GET", "https://api.example"}:             {Mode: introspect.IntrospectOpaque},
		{"GET", "/admin/a"}:                        anew(introspect.Introspect),
	} {
		if got := of(request[0], request[1]); got != want {
			t.Errorf("%s: %+v, want %+v", request, got, want)
		}
	}
}

func TestConfigurationAndMetadataDemandTogether(t *testing.T) {
	for _, c := range []struct {
		route    decision.Route
		metadata string
		want     authz.Freshness
	}{
		{decision.Route{}, `{max_age: 1m}`, authz.Freshness{MaxAge: time.Minute, Limited: true}},
		{decision.Route{MaxAge: "5s"}, `{max_age: 1m}`, authz.Freshness{MaxAge: 5 * time.Second, Limited: true}},
		{decision.Route{MaxAge: "1h"}, `{max_age: 0s}`, anew("")},
		{decision.Route{MaxAge: "0s"}, `{mode: introspect}`, anew(introspect.Introspect)},
		{decision.Route{Mode: introspect.JWT}, `{mode: introspect, max_age: 0s}`, anew(introspect.JWT)},
		{decision.Route{}, `{mode: jwt_then_introspect}`, authz.Freshness{Mode: introspect.JWTThenIntrospect}},
	} {
		rego := "package authz\n\n# METADATA\n# entrypoint: true\n# custom: {token: " + c.metadata + "}\ndecision := true\n"
		if got := demands(t, []decision.Route{c.route}, rego)("GET", "https://api.example/x"); got != c.want {
			t.Errorf("%+v and %s: %+v, want %+v", c.route, c.metadata, got, c.want)
		}
	}
}

func TestAnAgeThatIsNoneAsksAnew(t *testing.T) {
	if got := demands(t, []decision.Route{{MaxAge: "soon"}}, "")("GET", "https://api.example/x"); got != anew("") {
		t.Errorf("freshness %+v", got)
	}
}

func TestFaultsOfRoutes(t *testing.T) {
	paths := func(ps ...string) decision.Route { return decision.Route{Paths: ps, MaxAge: "0s"} }
	for name, c := range map[string]struct {
		routes []decision.Route
		want   []string
	}{
		"good": {[]decision.Route{
			paths("/a/b", "/a/*", "/", "/c/**", "/d/"), {Methods: []string{"GET"}, MaxAge: "24h"}, {Hosts: []string{"h", "[::1]"}, Mode: introspect.JWT}, {MaxAge: "1s"},
		}, nil},
		"nothing wanted":              {[]decision.Route{{Paths: []string{"/a"}}}, []string{"routes[0].max_age: neither it nor mode is set: the route wants nothing"}},
		"a method in lower case":      {[]decision.Route{{Methods: []string{"get", "A B", ""}, MaxAge: "0s"}}, []string{`routes[0].methods[0]: "get" is no method in upper case`, `routes[0].methods[1]: "A B" is no method in upper case`, `routes[0].methods[2]: "" is no method in upper case`}},
		"hosts that are none":         {[]decision.Route{{Hosts: []string{"https://a", "a:80", "*.a", ""}, MaxAge: "0s"}}, []string{`routes[0].hosts[0]: "https://a" is no host`, `routes[0].hosts[1]: "a:80" is no host`, `routes[0].hosts[2]: "*.a" is no host`, `routes[0].hosts[3]: "" is no host`}},
		"ages that are none":          {[]decision.Route{{Methods: []string{"A"}, MaxAge: "5"}, {Methods: []string{"B"}, MaxAge: "-1s"}, {Methods: []string{"C"}, MaxAge: "25h"}}, []string{`routes[0].max_age: "5" is not a duration from 0s to 24h`, `routes[1].max_age: "-1s" is not a duration from 0s to 24h`, `routes[2].max_age: "25h" is not a duration from 0s to 24h`}},
		"a path without slash":        {[]decision.Route{paths("a")}, []string{"routes[0].paths[0]: does not begin with a slash"}},
		"an empty segment":            {[]decision.Route{paths("/a//b")}, []string{"routes[0].paths[0]: has an empty segment, as no path has"}},
		"a dot segment":               {[]decision.Route{paths("/a/../b")}, []string{"routes[0].paths[0]: has a dot segment, as no path has"}},
		"** in the middle":            {[]decision.Route{paths("/**/a")}, []string{"routes[0].paths[0]: has ** before its end"}},
		"part of a segment":           {[]decision.Route{paths("/a*")}, []string{"routes[0].paths[0]: has a * within a segment"}},
		"a query":                     {[]decision.Route{paths("/a?b")}, []string{"routes[0].paths[0]: has a query or a fragment"}},
		"an encoded path":             {[]decision.Route{paths("/a%20b")}, []string{"routes[0].paths[0]: has a percent sign"}},
		"a route twice":               {[]decision.Route{paths("/a"), paths("/b", "/a")}, []string{"routes[1].paths[1]: is never reached: routes[0] takes all of its requests"}},
		"a path twice":                {[]decision.Route{paths("/*", "/a")}, []string{"routes[0].paths[1]: is covered by paths[0]"}},
		"a narrower path later":       {[]decision.Route{paths("/a/**"), paths("/a/b/*")}, []string{"routes[1].paths[0]: is never reached: routes[0] takes all of its requests"}},
		"everything first":            {[]decision.Route{{MaxAge: "0s"}, {Paths: []string{"/a", "/b"}, Methods: []string{"GET"}, MaxAge: "1s"}}, []string{"routes[1]: is never reached: routes[0] takes all of its requests"}},
		"HEAD is taken with GET":      {[]decision.Route{{Methods: []string{"GET"}, MaxAge: "0s"}, {Methods: []string{"HEAD"}, MaxAge: "1s"}}, []string{"routes[1]: is never reached: routes[0] takes all of its requests"}},
		"a host in two spellings":     {[]decision.Route{{Hosts: []string{"a.b"}, MaxAge: "0s"}, {Hosts: []string{"A.b."}, MaxAge: "1s"}}, []string{"routes[1]: is never reached: routes[0] takes all of its requests"}},
		"a wider route later is good": {[]decision.Route{{Methods: []string{"GET"}, Paths: []string{"/a"}, MaxAge: "0s"}, paths("/a")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			decision.Config{Routes: c.routes}.Check(func(key, cause, hint string) {
				got = append(got, key+": "+cause)
				if hint == "" {
					t.Errorf("%s: no hint", key)
				}
			})
			if !slices.Equal(got, c.want) {
				t.Errorf("faults %q, want %q", got, c.want)
			}
		})
	}
}

// twoServers are two issuers, told apart by host or by the header x-tenant, whose servers call every token active.
func twoServers(t *testing.T, match ...introspect.Match) (*introspect.Issuers, []*atomic.Int64) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	var cfgs []introspect.Config
	var calls []*atomic.Int64
	for i, m := range match {
		n := &atomic.Int64{}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			n.Add(1)
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"active":true,"client_id":"of-%d"}`, i)
		}))
		t.Cleanup(server.Close)
		calls = append(calls, n)
		cfgs = append(cfgs, introspect.Config{
			Endpoint: oauth.Config{
				Name: fmt.Sprint(i), IntrospectionEndpoint: server.URL, AllowInsecureHTTP: true,
				Client:  oauth.Client{ID: "api", Secret: secret.Source{File: file}},
				Timeout: 5 * time.Second, MaxResponseBytes: 64 << 10,
			},
			Match: m, MaxInFlight: 100, Cache: introspect.CacheConfig{MaxEntries: 100, MaxBytes: 1 << 20, NegativeMaxEntries: 100},
		})
	}
	issuers, err := introspect.NewIssuers(cfgs, introspect.Deps{Fingerprints: secret.NewFingerprinter()})
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
	for name, match := range map[string][]introspect.Match{
		"by host":   {{Hosts: []string{"host-0"}}, {Hosts: []string{"host-1"}}},
		"by header": {{Header: "x-tenant", Values: []string{"tenant-0"}}, {Header: "x-tenant", Values: []string{"tenant-1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			issuers, calls := twoServers(t, match...)
			w := build(t, plan{rego: tellsClient, wrap: func(introspect.Introspector) introspect.Introspector { return issuers }})
			var queries []authz.Query
			for i := range 20 {
				queries = append(queries, authz.Query{Caller: "127.0.0.1:9", Request: authz.Request{Method: "GET", URL: fmt.Sprintf("https://host-%d/%d", i%2, i), Headers: map[string][]string{
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
	issuers, calls := twoServers(t, introspect.Match{Header: "x-tenant", Values: []string{"a"}}, introspect.Match{Default: true})
	w := build(t, plan{rego: tellsClient, wrap: func(introspect.Introspector) introspect.Introspector { return issuers }})
	q := question("x", "Bearer some-token")
	q.Request.Headers["x-tenant"] = []string{"a", "b"}
	w.expect(t, w.point.Decide(t.Context(), q), authz.Malformed, http.StatusBadRequest, "invalid_request")
	if calls[0].Load()+calls[1].Load() != 0 {
		t.Error("a server was asked")
	}
}

func TestATokenOfNoConfiguredIssuerIsNoToken(t *testing.T) {
	issuers, calls := twoServers(t, introspect.Match{Prefixes: []string{"a_"}}, introspect.Match{Prefixes: []string{"b_"}})
	w := build(t, plan{rego: tellsClient, wrap: func(introspect.Introspector) introspect.Introspector { return issuers }})
	w.expect(t, w.point.Decide(t.Context(), question("x", "Bearer c_1")), authz.Unauthenticated, http.StatusUnauthorized, "invalid_token")
	if calls[0].Load()+calls[1].Load() != 0 {
		t.Error("a server was asked")
	}
}
