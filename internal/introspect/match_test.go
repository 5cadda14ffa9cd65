package introspect

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

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
	CheckIssuers(cfgs, func(key, cause, hint string) {
		out = append(out, key+": "+cause)
		if hint == "" {
			t.Errorf("%s: no hint", key)
		}
	})
	return out
}

func TestIssuersThatCanTakeOneRequestAreAFault(t *testing.T) {
	prefixes := func(ps ...string) func(*Config) { return matching(Match{Prefixes: ps}) }
	for name, c := range map[string]struct {
		a, b func(*Config)
		want string
	}{
		"one iss":                   {named("https://a"), named("https://a"), `issuers[1].match: issuers "i1" and "i0" both take tokens whose iss is "https://a"`},
		"one iss of several":        {named("https://a"), matching(Match{Issuers: []string{"https://b", "https://a"}}), `issuers[1].match: issuers "i1" and "i0" both take tokens whose iss is "https://a"`},
		"two defaults":              {matching(Match{Default: true}), matching(Match{Default: true, Hosts: []string{"b"}}), `issuers[1].match.default: issuers "i1" and "i0" are both the default`},
		"one prefix":                {prefixes("a_"), prefixes("b_", "a_"), `issuers[1].match: one opaque token can be of issuer "i1" and of issuer "i0"`},
		"a prefix within another":   {prefixes("a_at_"), prefixes("a_"), `issuers[1].match: one opaque token can be of issuer "i1" and of issuer "i0"`},
		"prefix and host":           {prefixes("a_"), matching(Match{Hosts: []string{"b"}}), `issuers[1].match: one opaque token can be of issuer "i1" and of issuer "i0"`},
		"lengths that overlap":      {matching(Match{MinLength: 10, MaxLength: 20}), matching(Match{MinLength: 20}), `issuers[1].match: one opaque token can be of issuer "i1" and of issuer "i0"`},
		"two headers":               {matching(Match{Header: "x-a", Values: []string{"1"}}), matching(Match{Header: "x-b", Values: []string{"2"}}), `issuers[1].match: one opaque token can be of issuer "i1" and of issuer "i0"`},
		"one value of a header":     {matching(Match{Header: "x-a", Values: []string{"1", "2"}}), matching(Match{Header: "X-A", Values: []string{"2"}}), `issuers[1].match: one opaque token can be of issuer "i1" and of issuer "i0"`},
		"one host in two spellings": {matching(Match{Hosts: []string{"A.example"}}), matching(Match{Hosts: []string{"a.example."}}), `issuers[1].match: one opaque token can be of issuer "i1" and of issuer "i0"`},
		"one name":                  {named("https://a"), both(named("https://b"), func(c *Config) { c.Endpoint.Name = "i0" }), `issuers[1].name: "i0" is the name of issuers[0] too`},
		"nothing for the second":    {named("https://a"), named(""), `issuers[1].match: issuer "i1" takes no token: beside other issuers it has neither a name nor a rule`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := together(t, c.a, c.b); !slices.Equal(got, []string{c.want}) {
				t.Errorf("faults %q, want %q", got, c.want)
			}
		})
	}
}

func TestIssuersThatCannotTakeOneRequestAreGood(t *testing.T) {
	host := func(h string) Match { return Match{Hosts: []string{h}} }
	for name, c := range map[string][2]func(*Config){
		"two names":                     {named("https://a"), named("https://b")},
		"one iss on two hosts":          {both(named("https://a"), matching(host("a"))), both(named("https://a"), matching(host("b")))},
		"two prefixes":                  {matching(Match{Prefixes: []string{"a_"}}), matching(Match{Prefixes: []string{"b_"}})},
		"one prefix, two lengths":       {matching(Match{Prefixes: []string{"a_"}, MaxLength: 20}), matching(Match{Prefixes: []string{"a_"}, MinLength: 21})},
		"a prefix longer than a length": {matching(Match{Prefixes: []string{"abcdef"}}), matching(Match{Prefixes: []string{"abc"}, MaxLength: 5})},
		"two values of one header":      {matching(Match{Header: "x-a", Values: []string{"1"}}), matching(Match{Header: "x-a", Values: []string{"2"}})},
		"a rule and the default":        {matching(Match{Prefixes: []string{"a_"}}), matching(Match{Default: true})},
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
	if _, err := NewIssuers([]Config{a, b}, Deps{Fingerprints: secret.NewFingerprinter()}); err == nil || !strings.Contains(err.Error(), "is the name of issuers[0] too") {
		t.Errorf("error %v", err)
	}
}

func TestFaultsOfOneMatch(t *testing.T) {
	for name, c := range map[string]struct {
		match Match
		want  []string
	}{
		"nothing":                          {Match{}, nil},
		"everything":                       {Match{Issuers: []string{"https://a"}, Prefixes: []string{"a_"}, MinLength: 1, MaxLength: 2, Hosts: []string{"A.example.", "127.0.0.1", "[::1]"}, Header: "X-Tenant", Values: []string{"a b"}}, nil},
		"empty items":                      {Match{Issuers: []string{""}, Prefixes: []string{""}, Hosts: []string{""}, Header: "x-a", Values: []string{""}}, []string{"match.issuers[0]", "match.prefixes[0]", "match.hosts[0]", "match.values[0]"}},
		"a prefix with a blank":            {Match{Prefixes: []string{"Bearer a"}}, []string{"match.prefixes[0]"}},
		"a prefix longer than its tokens":  {Match{Prefixes: []string{"abc"}, MaxLength: 2}, []string{"match.prefixes[0]"}},
		"lengths the wrong way round":      {Match{MinLength: 3, MaxLength: 2}, []string{"match.max_length"}},
		"negative lengths":                 {Match{MinLength: -1, MaxLength: -1}, []string{"match.min_length", "match.max_length"}},
		"hosts that are none":              {Match{Hosts: []string{"https://a", "a:80", "*.a", "a..b", "[::1"}}, []string{"match.hosts[0]", "match.hosts[1]", "match.hosts[2]", "match.hosts[3]", "match.hosts[4]"}},
		"a header without values":          {Match{Header: "x-a"}, []string{"match.header"}},
		"values without a header":          {Match{Values: []string{"a"}}, []string{"match.values"}},
		"a header that is none":            {Match{Header: "x a", Values: []string{"a"}}, []string{"match.header"}},
		"the host as a header":             {Match{Header: "Host", Values: []string{"a"}}, []string{"match.header"}},
		"a default that looks at prefixes": {Match{Default: true, Prefixes: []string{"a"}}, []string{"match.default"}},
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

// Whatever passes CheckIssuers never leaves two issuers to choose from: rules are made at random, and tokens and requests
// of the same few parts that the rules are made of.
func TestWhatIsCheckedIsNeverAmbiguous(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	some := func(of ...string) (out []string) {
		for _, s := range of {
			if r.IntN(3) == 0 {
				out = append(out, s)
			}
		}
		return out
	}
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	checked := 0
	for range 20000 {
		var cfgs []Config
		for i := range 2 + r.IntN(2) {
			c := Config{Match: Match{Issuers: some("x", "y"), Prefixes: some("a", "ab", "b"), MinLength: r.IntN(3), Hosts: some("h", "i")}}
			c.Endpoint.Name = fmt.Sprint(i)
			if r.IntN(2) == 0 {
				c.Match.MaxLength = c.Match.MinLength + r.IntN(3)
			}
			if v := some("1", "2"); v != nil {
				c.Match.Header, c.Match.Values = one("p", "q"), v
			}
			cfgs = append(cfgs, c)
		}
		ambiguous := false
		CheckIssuers(cfgs, func(_, cause, _ string) { ambiguous = ambiguous || !strings.Contains(cause, "takes no token") })
		if ambiguous {
			continue
		}
		checked++
		for range 50 {
			q := Question{Host: one("h", "i", ""), Headers: map[string][]string{"p": some("1"), "q": some("2")}}
			tok := one("a", "ab", "b", "") + one("", "c", "cc", "ccc")
			byName, byLook := 0, 0
			iss := one("x", "y")
			for _, c := range cfgs {
				rule := newRule(c, len(cfgs))
				if rule.admits(&q) && slices.Contains(rule.names, iss) {
					byName++
				}
				if rule.admits(&q) && rule.opaque == thoseOfIts && rule.fits(tok) {
					byLook++
				}
			}
			if byName > 1 || byLook > 1 {
				t.Fatalf("%d issuers take iss %q, %d take %q, with %+v, of %+v", byName, iss, byLook, tok, q, cfgs)
			}
		}
	}
	if checked < 100 {
		t.Errorf("%d sets of issuers passed: nothing was tested", checked)
	}
}

func TestModesThatNoIssuerCanDoAreNotListed(t *testing.T) {
	endpoint, keys := testConfig(t, "https://as.example/i"), testConfig(t, "")
	keys.Endpoint.JWKSURI = "https://as.example/jwks"
	discovered := testConfig(t, "")
	discovered.Endpoint.Issuer = "https://as.example"
	for name, c := range map[string]struct {
		cfgs []Config
		want []Mode
	}{
		"an endpoint alone":        {[]Config{endpoint}, []Mode{Introspect}},
		"keys alone":               {[]Config{keys}, []Mode{JWT}},
		"one of each":              {[]Config{endpoint, keys}, []Mode{Introspect, JWT}},
		"metadata":                 {[]Config{discovered}, []Mode{Introspect, JWT, JWTThenIntrospect, IntrospectOpaque}},
		"an endpoint and metadata": {[]Config{endpoint, discovered}, []Mode{Introspect, JWT, JWTThenIntrospect, IntrospectOpaque}},
	} {
		if got := ModesOf(c.cfgs); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
