package stage

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/gate"
)

// onlyTests turns on the gate of tests alone.
func onlyTests(cfg *config.Config, g gate.Tests) *config.Config {
	g.Mode = gate.Refuse
	cfg.Policies.Gate = gate.Config{Tests: g}
	return cfg
}

func TestTheGateOfTests(t *testing.T) {
	t.Parallel()
	const fails = "package authz_test\n\ntest_nothing if 1 == 2\n"
	suite := "suite: own\nnow: 2026-11-20T12:00:00Z\nissuer: {issuer: https://login.example}\n" +
		"tokens:\n  reader: {active: true, scope: %s, iss: https://login.example}\n" +
		"cases:\n  - {name: reads, token: reader, request: {url: https://api.example/x}, expect: {allow: true}}\n"
	for name, c := range map[string]struct {
		files, own map[string]string
		coverage   float64
		want       []string
		message    string
	}{
		"tests that pass": {files: map[string]string{"a_test.rego": tested}, message: "1 of 1 tests pass"},
		"a test that fails": {
			files: map[string]string{"a_test.rego": tested, "b_test.rego": fails}, want: []string{ClassTestFailed},
			message: "1 of 2 tests pass"},
		"no tests": {want: []string{ClassNoTests}, message: "0 of 0 tests pass"},
		"only skipped ones": {files: map[string]string{"a_test.rego": "package x_test\n\ntodo_test_x if true\n"},
			want: []string{ClassNoTests}},
		"too little coverage": {files: map[string]string{"a_test.rego": tested}, coverage: 95,
			want: []string{ClassCoverage}, message: "1 of 1 tests pass, and evaluate 3"},
		"enough coverage": {files: map[string]string{"a_test.rego": tested}, coverage: 30},
		"own tests that fail": {
			files: map[string]string{"a_test.rego": tested}, own: map[string]string{"b_test.rego": fails},
			want: []string{ClassTestFailed}, message: "1 of 2 tests pass"},
		"an own suite that passes": {own: map[string]string{"a_suite.yaml": strings.Replace(suite, "%s", "read", 1)},
			message: "1 of 1 tests pass"},
		"an own suite that fails": {own: map[string]string{"a_suite.yaml": strings.Replace(suite, "%s", "write", 1)},
			want: []string{ClassTestFailed}, message: "0 of 1 tests pass"},
		"a test file that adds to a rule of the policies": {files: map[string]string{"a_test.rego": tested +
			"test_b if true\n", "b_test.rego": "package authz\n\nallowed if input.token.active\n"},
			want: []string{classFailed}, message: "the tests do not load"},
		"a test file that adds to data that the policies read": {files: map[string]string{"a_test.rego": tested,
			"list.rego":   "package list\n\nfrozen if {\n\tsome p in data.plugins\n\tp.frozen\n}\n",
			"plugin.rego": "package plugins.a\n\nfrozen := false\n",
			"b_test.rego": "package plugins.b\n\nfrozen := true\n"},
			want: []string{classFailed}, message: "the tests do not load"},
		"tests that do not load": {files: map[string]string{"a_test.rego": "package authz_test\n\ntest_x if {"},
			want: []string{classFailed}, message: "the tests do not load"},
	} {
		t.Run(name, func(t *testing.T) {
			p := policiesIn(t, map[string]string{"authz.rego": decides})
			p = p.but(c.files)
			g := gate.Tests{MinCoverage: c.coverage}
			if c.own != nil {
				g.Paths = []string{policiesIn(t, c.own).dir}
			}
			cfg := onlyTests(p.config(), g)
			got := only(t, said(t, cfg, Deps{}, Policies{}, p.loaded(cfg)))
			if !slices.Equal(classes(got), c.want) || !strings.HasPrefix(got.Message, c.message) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestTestsOfABundleLeaveThoseOfTheOperatorAlone: the author of a bundle cannot change them.
func TestTestsOfABundleLeaveThoseOfTheOperatorAlone(t *testing.T) {
	t.Parallel()
	files := map[string]string{"authz.rego": decides, ".manifest": `{"roots": ["authz"]}`}
	own := policiesIn(t, map[string]string{"own_test.rego": "package own_test\n\nimport data.authz\n\n" +
		"scopes contains \"write\"\n\ntest_a_writer_reads_nothing if {\n\tnot authz.decision.allow with input as " +
		"{\"request\": {\"method\": \"GET\"}, \"token\": {\"active\": true, \"scopes\": scopes}}\n}\n"})
	for text, want := range map[string][]string{
		"package authz_test\n\ntest_x if true\n":                            nil,
		"package own_test\n\nscopes contains \"other\"\n\ntest_x if true\n": {classFailed},
	} {
		p := policiesIn(t, files).but(map[string]string{"b_test.rego": text})
		cfg := onlyTests(config.Default(), gate.Tests{Paths: []string{own.dir}})
		cfg.Policies.Paths, cfg.Policies.Bundles = nil, []string{p.dir}
		set, err := dir.Load(cfg.Policies.Config)
		if err != nil {
			t.Fatal(err)
		}
		if got := only(t, said(t, cfg, Deps{}, Policies{}, compiled(t, cfg, set))); !slices.Equal(classes(got), want) {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

// TestTestsAreOfThePoliciesThatWereRead: what is on disk by now may differ.
func TestTestsAreOfThePoliciesThatWereRead(t *testing.T) {
	t.Parallel()
	p := policiesIn(t, map[string]string{"authz.rego": decides, "a_test.rego": tested})
	cfg := onlyTests(p.config(), gate.Tests{MinCoverage: 1})
	good := p.loaded(cfg)
	p.write("authz.rego", strings.Replace(decides, `"read" in`, `"write" in`, 1))
	bad := p.loaded(cfg)
	if got := said(t, cfg, Deps{}, Policies{}, bad); got.Admitted {
		t.Errorf("the tests pass: %+v", got)
	}
	if got := said(t, cfg, Deps{}, Policies{}, good); !got.Admitted {
		t.Errorf("other policies were tested: %+v", got)
	}
	p.write("authz.rego", "package authz\n\nbroken {")
	if got := said(t, cfg, Deps{}, Policies{}, good); !got.Admitted {
		t.Errorf("a broken file, which is no part of the policies, counts: %+v", got)
	}
}

// TestTestsNeverReachTheNetwork: they run in production, perhaps with the network that policies have there.
func TestTestsNeverReachTheNetwork(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(server.Close)
	p := policiesIn(t, map[string]string{
		"authz.rego": decides + strings.Replace(asks, "https://HOST", server.URL, 1),
		"a_test.rego": tested + `
test_asks if authz.decision.allow with input as {"token": {"scopes": []}}

test_mocked if authz.decision.allow with http.send as {"status_code": 200}
`,
		"a_suite.yaml": `suite: own
now: 2026-11-20T12:00:00Z
issuer: {issuer: https://login.example}
tokens: {none: {active: true, iss: https://login.example}}
cases:
  - {name: asks, token: none, request: {url: https://api.example/x}, expect: {allow: true}}
`,
	})
	cfg := onlyTests(p.config(), gate.Tests{})
	cfg.Engine.AllowBuiltins = []string{"http.send"}
	got := only(t, said(t, cfg, Deps{}, Policies{}, p.loaded(cfg)))
	if asked.Load() > 0 || got.Message != "2 of 4 tests pass" {
		t.Errorf("the server was asked %d times: %+v", asked.Load(), got)
	}
}

func TestTheBasisOfTestsChangesWithThem(t *testing.T) {
	t.Parallel()
	p := policiesIn(t, map[string]string{"authz.rego": decides, "a_test.rego": tested})
	own := policiesIn(t, map[string]string{"helper.rego": "package helper\n"})
	stages := All(onlyTests(p.config(), gate.Tests{Paths: []string{own.dir}}), Deps{})
	before := Basis(stages)
	p.write("README.md", "text")
	p.write("more.rego", "package more\n")
	if Basis(stages) != before {
		t.Error("it changes with files that are no tests")
	}
	for _, change := range []func(){
		func() { p.write("a_test.rego", tested+"\n") },
		func() { own.write("helper.rego", "package helper\n\nx := 1\n") },
		func() { p.write("a_suite.yaml", "suite: x") },
	} {
		if change(); Basis(stages) == before {
			t.Error("it does not change")
		}
		before = Basis(stages)
	}
}
