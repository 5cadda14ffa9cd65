package issuer

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/route"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// jwt is a compact JWS whose signature no key verifies.
func jwt(header, payload string) string {
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return encode(header) + "." + encode(payload) + ".c2ln"
}

func jwtOf(iss string) string {
	return jwt(`{"alg":"RS256","typ":"at+jwt"}`, fmt.Sprintf(`{"iss":%q}`, iss))
}

const encrypted = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..aXY.Y2lwaGVy.dGFn"

// several is a set of issuers, each before a server of its own that calls every token active.
type several struct {
	*Issuers
	servers []*upstream
}

func openAll(t testing.TB, change ...func(*Config)) *several {
	t.Helper()
	s := &several{}
	var cfgs []Config
	for i, c := range change {
		u := serve(t, testkit.ReplyJSON(`{"active":true}`))
		cfg := testConfig(t, u.URL)
		cfg.Endpoint.Name, cfg.Cache.TTL, cfg.Cache.NegativeTTL = fmt.Sprintf("i%d", i), 0, 0
		c(&cfg)
		s.servers, cfgs = append(s.servers, u), append(cfgs, cfg)
	}
	var err error
	if s.Issuers, err = Open(cfgs, Deps{Fingerprints: secret.NewFingerprinter()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// calls is how often each server was asked.
func (s *several) calls() []int64 {
	var out []int64
	for _, u := range s.servers {
		out = append(out, u.calls.Load())
	}
	return out
}

// goes asserts that a question is put to one server and to no other, or to none when want is negative.
func (s *several) goes(t *testing.T, q introspect.Question, want int) *authz.Claims {
	t.Helper()
	before := s.calls()
	c, err := s.Introspect(t.Context(), q)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	for i, n := range s.calls() {
		switch asked := n - before[i]; {
		case i == want && asked != 1:
			t.Errorf("server %d was asked %d times, want once", i, asked)
		case i != want && asked != 0:
			t.Errorf("server %d was asked, want %d", i, want)
		}
	}
	if c.Active != (want >= 0) {
		t.Errorf("active is %t: %s", c.Active, c.Inactive.Text)
	}
	return c
}

func named(iss string) func(*Config)       { return func(c *Config) { c.Endpoint.Issuer = iss } }
func matching(m route.Match) func(*Config) { return func(c *Config) { c.Match = m } }
func both(fs ...func(*Config)) func(*Config) {
	return func(c *Config) {
		for _, f := range fs {
			f(c)
		}
	}
}

func tokenOf(s string) introspect.Question { return introspect.Question{Token: secret.New(s)} }

func TestAJWTGoesToTheIssuerThatItNames(t *testing.T) {
	s := openAll(t, named("https://a"), both(named("https://b"), matching(route.Match{Default: true})))
	s.goes(t, tokenOf(jwtOf("https://a")), 0)
	s.goes(t, tokenOf(jwtOf("https://b")), 1)
}

func TestAJWTOfAnIssuerThatIsNotConfiguredIsRefusedUnasked(t *testing.T) {
	s := openAll(t, named("https://a"), both(named("https://b"), matching(route.Match{Default: true})))
	for _, iss := range []string{"https://evil", "https://a/", "HTTPS://a", "https://a ", ""} {
		if c := s.goes(t, tokenOf(jwtOf(iss)),
			-1); c.Inactive.Text != "names an issuer that is not configured: it names "+
			dialect.Quote(iss)+`, configured is "https://a", "https://b"` {
			t.Errorf("%q: %s", iss, c.Inactive.Text)
		}
	}
}

func TestALoneIssuerIsNotAskedAboutTheJWTOfAnother(t *testing.T) {
	s := openAll(t, named("https://a"))
	s.goes(t, tokenOf(jwtOf("https://a")), 0)
	s.goes(t, tokenOf(jwtOf("https://b")), -1)
	s.goes(t, tokenOf("opaque"), 0)
	s.goes(t, tokenOf(jwt(`{"alg":"RS256"}`, `{}`)), 0)
}

func TestALoneIssuerWithoutNameAndMatchTakesEverything(t *testing.T) {
	s := openAll(t, named(""))
	for _, tok := range []string{"opaque", jwtOf("https://b"), jwt("{}", "{}"), encrypted} {
		s.goes(t, tokenOf(tok), 0)
	}
}

func TestMatchIssuersStandInPlaceOfTheIssuer(t *testing.T) {
	s := openAll(t, both(named("https://internal"),
		matching(route.Match{Issuers: []string{"https://a", "https://old-a"}})), named("https://b"))
	s.goes(t, tokenOf(jwtOf("https://a")), 0)
	s.goes(t, tokenOf(jwtOf("https://old-a")), 0)
	s.goes(t, tokenOf(jwtOf("https://internal")), -1)
	s.goes(t, tokenOf(jwtOf("https://b")), 1)
}

func TestAnAnswerMayNameTheIssuerByAnyOfMatchIssuers(t *testing.T) {
	for iss, want := range map[string]bool{"https://a": true, "https://internal": true, "https://b": false} {
		i, _ := open(t, serve(t, testkit.ReplyJSON(fmt.Sprintf(`{"active":true,"iss":%q}`, iss))).URL,
			both(named("https://internal"), matching(route.Match{Issuers: []string{"https://a"}})))
		if c := ask(t, i); c.Active != want {
			t.Errorf("%s: active is %t: %s", iss, c.Active, c.Inactive.Text)
		}
		i, _ = open(t, serve(t, testkit.ReplyJSON(fmt.Sprintf(`{"active":true,"iss":%q}`, iss))).URL,
			matching(route.Match{Issuers: []string{"https://a", "https://internal"}}))
		if c := ask(t, i); c.Active != want {
			t.Errorf("%s, without issuer: active is %t: %s", iss, c.Active, c.Inactive.Text)
		}
	}
}

func TestOpaqueTokensGoByPrefixAndLength(t *testing.T) {
	s := openAll(t, matching(route.Match{Prefixes: []string{"a_", "aa-"}}),
		matching(route.Match{MinLength: 10, MaxLength: 12, Prefixes: []string{"x"}}), both(named("https://c"),
			matching(route.Match{Default: true})))
	s.goes(t, tokenOf("a_1"), 0)
	s.goes(t, tokenOf("aa-1"), 0)
	s.goes(t, tokenOf("x234567890"), 1)
	s.goes(t, tokenOf("x23456789012"), 1)
	s.goes(t, tokenOf("x23456789"), 2)
	s.goes(t, tokenOf("x234567890123"), 2)
	s.goes(t, tokenOf("A_1"), 2)
}

func TestAnOpaqueTokenThatNoIssuerTakesIsRefusedUnasked(t *testing.T) {
	s := openAll(t, matching(route.Match{Prefixes: []string{"a_"}}), named("https://b"))
	if c := s.goes(t, tokenOf("b_1"), -1); c.Inactive.Text != "is of no configured issuer" {
		t.Error(c.Inactive.Text)
	}
	s.goes(t, tokenOf(jwt(`{"alg":"RS256"}`, `{"sub":"x"}`)), -1)
	s.goes(t, tokenOf(encrypted), -1)
}

func TestATokenThatNamesNoIssuerIsOpaque(t *testing.T) {
	s := openAll(t, named("https://a"), both(named("https://b"), matching(route.Match{Default: true})))
	s.goes(t, tokenOf(encrypted), 1)
	s.goes(t, tokenOf(jwt(`{"alg":"RS256"}`, `{"sub":"https://a"}`)), 1)
	s.goes(t, tokenOf("three.parts.only"), 1)
}

func TestAJWTThatCannotBeReadDoesNotGoToTheDefault(t *testing.T) {
	s := openAll(t, named("https://a"), both(named("https://b"), matching(route.Match{Default: true})),
		matching(route.Match{Prefixes: []string{"eyJub25l"}}))
	for name, tok := range map[string]string{
		"two iss":          jwt(`{"alg":"RS256"}`, `{"iss":"https://a","iss":"https://a"}`),
		"no text":          jwt(`{"alg":"RS256"}`, `{"iss":["https://a"]}`),
		"a long kid":       jwt(`{"alg":"RS256","kid":"`+strings.Repeat("k", 300)+`"}`, `{"iss":"https://a"}`),
		"no alg":           jwt(`{"typ":"JWT"}`, `{"iss":"https://a"}`),
		"padding":          strings.Replace(jwt(`{"alg":"RS256" }`, `{"iss":"https://a"}`), ".", "=.", 1),
		"no JSON":          jwt(`{"alg":"RS256"}`, `iss=https://a`),
		"a broken payload": "eyJhbGciOiJSUzI1NiJ9.e.c2ln",
	} {
		t.Run(name, func(t *testing.T) {
			if c := s.goes(t, tokenOf(tok), -1); c.Inactive.Text != "is made like a JWT and does not say whose it is" {
				t.Error(c.Inactive.Text)
			}
		})
	}
	s.goes(t, tokenOf(jwt(`{"none":1}`, `{"iss":"https://a"}`)), 2) // a prefix says whose it is
}

func TestAnIssuerWithoutNameTakesJWTsLikeOpaqueTokens(t *testing.T) {
	s := openAll(t, named("https://a"), matching(route.Match{Hosts: []string{"b.example"}}),
		both(named("https://c"), matching(route.Match{Prefixes: []string{"ey"}, Hosts: []string{"c.example"}})))
	on := func(tok, host string) introspect.Question {
		return introspect.Question{Token: secret.New(tok), Host: host}
	}
	s.goes(t, on(jwtOf("https://any"), "b.example"), 1)
	s.goes(t, on(jwtOf("https://any"), "c.example"), -1) // c has a name, which this is not
	s.goes(t, on(jwtOf("https://a"), "b.example"), 0)
}

func TestHostsNarrowBothKinds(t *testing.T) {
	for name, tok := range map[string]string{"jwt": jwtOf("https://a"), "opaque": "opaque"} {
		t.Run(name, func(t *testing.T) {
			s := openAll(t, both(named("https://a"), matching(route.Match{Hosts: []string{"One.example."}})),
				both(named("https://a"), matching(route.Match{Hosts: []string{"two.example"}})))
			on := func(host string) introspect.Question {
				return introspect.Question{Token: secret.New(tok),
					Host: host}
			}
			s.goes(t, on("one.example"), 0)
			s.goes(t, on("two.example"), 1)
			s.goes(t, on("three.example"), -1)
			s.goes(t, on(""), -1)
		})
	}
}

func TestAJWTOfAnotherHostIsNotLeftToTheDefault(t *testing.T) {
	s := openAll(t, both(named("https://a"), matching(route.Match{Hosts: []string{"a.example"}})),
		matching(route.Match{Default: true}))
	if c := s.goes(t, introspect.Question{Token: secret.New(jwtOf("https://a")), Host: "b.example"},
		-1); c.Inactive.Text != `names an issuer that is not configured for this host or header: it names "https://a"` {
		t.Error(c.Inactive.Text)
	}
}

func TestAHeaderTellsOneIssuerFromAnother(t *testing.T) {
	tenant := func(vs ...string) func(*Config) { return matching(route.Match{Header: "X-Tenant", Values: vs}) }
	s := openAll(t, tenant("acme", "initech"), tenant("globex"))
	with := func(vs ...string) introspect.Question {
		return introspect.Question{Token: secret.New("opaque-" + strings.Join(vs, "-")),
			Headers: map[string][]string{"x-tenant": vs}}
	}
	s.goes(t, with("acme"), 0)
	s.goes(t, with("initech"), 0)
	s.goes(t, with("globex"), 1)
	for _, v := range []string{"Acme", "acme, globex", "acme,globex", ""} {
		s.goes(t, with(v), -1)
	}
	s.goes(t, with(), -1)
}

func TestSeveralFieldsOfTheHeaderThatTellsAreMalformed(t *testing.T) {
	s := openAll(t, matching(route.Match{Header: "x-tenant", Values: []string{"acme"}}),
		matching(route.Match{Default: true}))
	for _, vs := range [][]string{{"acme", "globex"}, {"globex", "acme"}, {"acme", "acme"}, {"", "acme"}} {
		c, err := s.Introspect(t.Context(),
			introspect.Question{Token: secret.New("opaque"), Headers: map[string][]string{"x-tenant": vs}})
		if c != nil || authz.KindOf(err) != authz.Malformed {
			t.Errorf("%q: %v, %v", vs, c, err)
		}
	}
	if n := s.calls(); n[0]+n[1] != 0 {
		t.Errorf("servers were asked: %d", n)
	}
}

func TestATokenThatIsTooLongIsRefusedUnasked(t *testing.T) {
	s := openAll(t, named("https://a"), both(named("https://b"), matching(route.Match{Default: true})))
	s.goes(t, tokenOf(strings.Repeat("a", introspect.MaxTokenBytes+1)), -1)
	s.goes(t, tokenOf(jwt(`{"alg":"RS256"}`,
		`{"iss":"https://a","x":"`+strings.Repeat("a", introspect.MaxTokenBytes)+`"}`)), -1)
}

func TestEqualChoicesAreEqual(t *testing.T) {
	s := openAll(t, matching(route.Match{Hosts: []string{"a.example", "b.example"}}), named("https://b"))
	on := func(host string) Choice {
		return s.Choose(introspect.Question{Token: secret.New("opaque"), Host: host})
	}
	if on("a.example") != on("b.example") || on("a.example") == on("c.example") || on("c.example") != on("d.example") {
		t.Error("choices do not compare by what they lead to")
	}
	if on("a.example").Issuer() != s.Named("i0") || s.Named("none") != nil {
		t.Error("the issuer is another")
	}
}

func TestChoosingForAnOpaqueTokenAllocatesNothing(t *testing.T) {
	s := openAll(t, both(named("https://a"),
		matching(route.Match{Prefixes: []string{"a_"},
			Hosts: []string{"a.example"}})), both(named("https://b"), matching(route.Match{Prefixes: []string{"b_"},
		Header: "x-tenant", Values: []string{"b"}})))
	q := introspect.Question{Token: secret.New("a_1"), Host: "a.example",
		Headers: map[string][]string{"x-tenant": {"c"}}}
	if n := testing.AllocsPerRun(100, func() { _ = s.Choose(q) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzNoTokenGoesToAnIssuerThatWasNotChosen watches three servers: whatever the token, the host and the header, one
// of them is asked at most, and never another than the one that a JWT names.
func FuzzNoTokenGoesToAnIssuerThatWasNotChosen(f *testing.F) {
	for _, tok := range []string{"a_1", "b_1", "opaque", encrypted, jwtOf("https://a"), jwtOf("https://b"),
		jwtOf("https://c"), jwt(`{"typ":"JWT"}`, `{"iss":"https://a"}`),
		jwt(`{"alg":"RS256"}`, `{"iss":"https://b","iss":"https://a"}`), jwt(`{"alg":"RS256"}`,
			`{"iss":"https:\/\/a"}`), "a.b.c", "..", "a_." + jwtOf("https://b")} {
		f.Add(tok, "a.example", "acme")
		f.Add(tok, "", "")
	}
	names := []string{"https://a", "https://b", "https://c"}
	s := openAll(f,
		both(named(names[0]), matching(route.Match{Prefixes: []string{"a_"}})),
		both(named(names[1]), matching(route.Match{Prefixes: []string{"b_"}, Header: "x-tenant",
			Values: []string{"acme"}})),
		both(named(names[2]), matching(route.Match{Default: true})))
	f.Fuzz(func(t *testing.T, tok, host, tenant string) {
		before := s.calls()
		c, err := s.Introspect(t.Context(),
			introspect.Question{Token: secret.New(tok), Host: host,
				Headers: map[string][]string{"x-tenant": {tenant}}})
		var asked []int
		for i, n := range s.calls() {
			if n > before[i] {
				asked = append(asked, i)
			}
		}
		switch {
		case err != nil:
			t.Fatalf("no answer: %v", err)
		case len(asked) > 1:
			t.Fatalf("servers %d were asked about one token", asked)
		case len(asked) == 0 && c.Active &&
			s.Choose(introspect.Question{Token: secret.New(tok), Host: host,
				Headers: map[string][]string{"x-tenant": {tenant}}}).Issuer() == nil:
			t.Fatal("active, and no issuer was chosen")
		}
		if iss, ok := issOf(tok); ok && len(asked) == 1 && names[asked[0]] != iss {
			t.Fatalf("server %d was asked about a token of %q", asked[0], iss)
		}
	})
}

// issOf reads a JWT as a careless program does.
func issOf(tok string) (string, bool) {
	part := strings.Split(tok, ".")
	if len(part) != 3 {
		return "", false
	}
	var header, payload map[string]any
	for i, to := range []*map[string]any{&header, &payload} {
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(part[i], "="))
		if err != nil || json.Unmarshal(b, to) != nil {
			return "", false
		}
	}
	iss, ok := payload["iss"].(string)
	return iss, ok
}

func BenchmarkChoose(b *testing.B) {
	s := openAll(b, named("https://a"), both(named("https://b"), matching(route.Match{Default: true})))
	for name, tok := range map[string]string{"jwt": jwtOf("https://a"), "opaque": "opaque"} {
		q := tokenOf(tok)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = s.Choose(q)
			}
		})
	}
}

// TestTrap7_ARefreshTokenThatOneIssuerRefusesIsNotLeftToTheDefault: hydra's access tokens have a prefix, and its
// refresh tokens another.
func TestTrap7_ARefreshTokenThatOneIssuerRefusesIsNotLeftToTheDefault(t *testing.T) {
	s := openAll(t,
		func(c *Config) { c.Match.Default = true },
		func(c *Config) { c.Dialect.Dialect, c.Match.Prefixes = "hydra", []string{"ory_at_"} })
	s.goes(t, introspect.Question{Token: secret.New("ory_at_abc")}, 1)
	s.goes(t, introspect.Question{Token: secret.New("other")}, 0)
	if c := s.goes(t, introspect.Question{Token: secret.New("ory_rt_abc")},
		-1); c.Inactive.Text != "begins with a prefix that is refused" {
		t.Errorf("it %s", c.Inactive.Text)
	}
}
