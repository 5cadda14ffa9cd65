package issuer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect/route"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// together returns what is wrong with issuers together, as "key: cause", and checks that each fault has a hint.
func together(t *testing.T, change ...func(*Config)) []string {
	t.Helper()
	var cfgs []Config
	for i, c := range change {
		cfg := testConfig(t, "https://as.example/i")
		cfg.Endpoint.Name = fmt.Sprintf("i%d", i)
		c(&cfg)
		cfgs = append(cfgs, cfg)
	}
	var out []string
	CheckAll(cfgs, func(key, cause, hint string) {
		out = append(out, key+": "+cause)
		if hint == "" {
			t.Errorf("%s: no hint", key)
		}
	})
	return out
}

func TestIssuersThatCanTakeOneRequestAreAFault(t *testing.T) {
	prefixes := func(ps ...string) func(*Config) { return matching(route.Match{Prefixes: ps}) }
	for name, c := range map[string]struct {
		a, b func(*Config)
		want string
	}{
		"one iss": {named("https://a"), named("https://a"),
			`issuers[1].match: issuers "i1" and "i0" both take tokens whose iss is "https://a"`},
		"one iss of several": {named("https://a"),
			matching(route.Match{Issuers: []string{"https://b",
				"https://a"}}), `issuers[1].match: issuers "i1" and "i0" both take tokens whose iss is "https://a"`},
		"two defaults": {matching(route.Match{Default: true}),
			matching(route.Match{Default: true,
				Hosts: []string{"b"}}), `issuers[1].match.default: issuers "i1" and "i0" are both the default`},
		"one prefix": {prefixes("a_"), prefixes("b_", "a_"),
			`issuers[1].match: one opaque token can be of issuer "i1" and of issuer "i0"`},
		"a prefix within another": {prefixes("a_at_"), prefixes("a_"),
			`issuers[1].match: one opaque token can be of issuer "i1" and of issuer "i0"`},
		"prefix and host": {prefixes("a_"), matching(route.Match{Hosts: []string{"b"}}),
			`issuers[1].match: one opaque token can be of issuer "i1" and of issuer "i0"`},
		"lengths that overlap": {matching(route.Match{MinLength: 10, MaxLength: 20}),
			matching(route.Match{MinLength: 20}),
			`issuers[1].match: one opaque token can be of issuer "i1" and of issuer "i0"`},
		"two headers": {matching(route.Match{Header: "x-a", Values: []string{"1"}}),
			matching(route.Match{Header: "x-b",
				Values: []string{"2"}}),
			`issuers[1].match: one opaque token can be of issuer "i1" and of issuer "i0"`},
		"one value of a header": {matching(route.Match{Header: "x-a", Values: []string{"1", "2"}}),
			matching(route.Match{Header: "X-A",
				Values: []string{"2"}}),
			`issuers[1].match: one opaque token can be of issuer "i1" and of issuer "i0"`},
		"one host in two spellings": {matching(route.Match{Hosts: []string{"A.example"}}),
			matching(route.Match{Hosts: []string{"a.example."}}),
			`issuers[1].match: one opaque token can be of issuer "i1" and of issuer "i0"`},
		"one name": {named("https://a"),
			both(named("https://b"), func(c *Config) { c.Endpoint.Name = "i0" }),
			`issuers[1].name: "i0" is the name of issuers[0] too`},
		"nothing for the second": {named("https://a"), named(""),
			`issuers[1].match: issuer "i1" takes no token: beside other issuers it has neither a name nor a rule`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := together(t, c.a, c.b); !slices.Equal(got, []string{c.want}) {
				t.Errorf("faults %q, want %q", got, c.want)
			}
		})
	}
}

func TestIssuersThatCannotTakeOneRequestAreGood(t *testing.T) {
	host := func(h string) route.Match { return route.Match{Hosts: []string{h}} }
	for name, c := range map[string][2]func(*Config){
		"two names": {named("https://a"), named("https://b")},
		"one iss on two hosts": {both(named("https://a"), matching(host("a"))),
			both(named("https://a"), matching(host("b")))},
		"two prefixes": {matching(route.Match{Prefixes: []string{"a_"}}),
			matching(route.Match{Prefixes: []string{"b_"}})},
		"one prefix, two lengths": {matching(route.Match{Prefixes: []string{"a_"}, MaxLength: 20}),
			matching(route.Match{Prefixes: []string{"a_"}, MinLength: 21})},
		"a prefix longer than a length": {matching(route.Match{Prefixes: []string{"abcdef"}}),
			matching(route.Match{Prefixes: []string{"abc"}, MaxLength: 5})},
		"two values of one header": {matching(route.Match{Header: "x-a", Values: []string{"1"}}),
			matching(route.Match{Header: "x-a", Values: []string{"2"}})},
		"a rule and the default": {matching(route.Match{Prefixes: []string{"a_"}}),
			matching(route.Match{Default: true})},
	} {
		t.Run(name, func(t *testing.T) {
			if got := together(t, c[0], c[1]); got != nil {
				t.Errorf("faults %q", got)
			}
		})
	}
}

func TestNewIssuersRefusesAmbiguity(t *testing.T) {
	a, b := testConfig(t, "https://a.example/i"), testConfig(t, "https://b.example/i")
	if _, err := Open([]Config{a, b}, Deps{Fingerprints: secret.NewFingerprinter()}); err == nil ||
		!strings.Contains(err.Error(), "is the name of issuers[0] too") {
		t.Errorf("error %v", err)
	}
}

func TestFaultsOfOneMatch(t *testing.T) {
	for name, c := range map[string]struct {
		match route.Match
		want  []string
	}{
		"nothing": {route.Match{}, nil},
		"everything": {route.Match{Issuers: []string{"https://a"}, Prefixes: []string{"a_"},
			MinLength: 1, MaxLength: 2, Hosts: []string{"A.example.", "127.0.0.1",
				"[::1]"}, Header: "X-Tenant", Values: []string{"a b"}}, nil},
		"empty items": {route.Match{Issuers: []string{""}, Prefixes: []string{""},
			Hosts: []string{""}, Header: "x-a", Values: []string{""}}, []string{"match.issuers[0]",
			"match.prefixes[0]", "match.hosts[0]", "match.values[0]"}},
		"a prefix with a blank": {route.Match{Prefixes: []string{"Bearer a"}},
			[]string{"match.prefixes[0]"}},
		"a prefix longer than its tokens": {route.Match{Prefixes: []string{"abc"}, MaxLength: 2},
			[]string{"match.prefixes[0]"}},
		"lengths the wrong way round": {route.Match{MinLength: 3, MaxLength: 2}, []string{"match.max_length"}},
		"negative lengths": {route.Match{MinLength: -1, MaxLength: -1},
			[]string{"match.min_length", "match.max_length"}},
		"hosts that are none": {route.Match{Hosts: []string{"https://a", "a:80", "*.a", "a..b", "[::1"}},
			[]string{"match.hosts[0]", "match.hosts[1]", "match.hosts[2]", "match.hosts[3]", "match.hosts[4]"}},
		"a header without values": {route.Match{Header: "x-a"}, []string{"match.header"}},
		"values without a header": {route.Match{Values: []string{"a"}}, []string{"match.values"}},
		"a header that is none": {route.Match{Header: "x a", Values: []string{"a"}},
			[]string{"match.header"}},
		"the host as a header": {route.Match{Header: "Host", Values: []string{"a"}},
			[]string{"match.header"}},
		"a default that looks at prefixes": {route.Match{Default: true, Prefixes: []string{"a"}},
			[]string{"match.default"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t, "https://as.example/i")
			cfg.Match = c.match
			if got := faults(cfg); !slices.Equal(got, c.want) {
				t.Errorf("faults at %q, want %q", got, c.want)
			}
		})
	}
}

func TestModesThatNoIssuerCanDoAreNotListed(t *testing.T) {
	endpoint, keys := testConfig(t, "https://as.example/i"), testConfig(t, "")
	keys.Endpoint.JWKSURI = "https://as.example/jwks"
	discovered := testConfig(t, "")
	discovered.Endpoint.Issuer = "https://as.example"
	for name, c := range map[string]struct {
		cfgs []Config
		want []authz.Mode
	}{
		"an endpoint alone": {[]Config{endpoint}, []authz.Mode{authz.ModeIntrospect}},
		"keys alone":        {[]Config{keys}, []authz.Mode{authz.ModeJWT}},
		"one of each":       {[]Config{endpoint, keys}, []authz.Mode{authz.ModeIntrospect, authz.ModeJWT}},
		"metadata": {[]Config{discovered},
			[]authz.Mode{authz.ModeIntrospect, authz.ModeJWT, authz.ModeJWTThenIntrospect,
				authz.ModeIntrospectOpaque}},
		"an endpoint and metadata": {[]Config{endpoint, discovered},
			[]authz.Mode{authz.ModeIntrospect, authz.ModeJWT, authz.ModeJWTThenIntrospect,
				authz.ModeIntrospectOpaque}},
	} {
		if got := ModesOf(c.cfgs); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
