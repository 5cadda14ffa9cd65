package policytest

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// bootstrapped is the suite that a log gives, and what became of its cases.
func bootstrapped(t *testing.T, cfg *config.Config, policy *engine.Policy, log []byte) (string, []Result) {
	t.Helper()
	text, err := Bootstrap(t.Context(), bytes.NewReader(log), "logs/decisions.jsonl", cfg, policy)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(folder+"/first_suite.yaml", text, 0o600); err != nil {
		t.Fatal(err)
	}
	suites, err := LoadSuites(cfg, []string{folder})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	results, err := Decisions(t.Context(), policy, cfg, suites)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), results
}

func TestBootstrap_SuiteOfTheShippedDecisionsPasses(t *testing.T) {
	cfg, policy, log := shippedLog(t)
	cfg.Issuers = []issuer.Config{{Endpoint: oauth.Config{Name: "main", Issuer: "https://login.acme.example"},
		Dialect: dialect.Config{Tenant: []string{"/tenant"}}}}
	text, results := bootstrapped(t, cfg, policy, log)
	for _, r := range results {
		if r.Outcome != Passed {
			t.Error(r)
		}
	}
	if len(results) < 20 {
		t.Errorf("%d cases:\n%s", len(results), text)
	}
	for _, want := range []string{
		"# What was decided by the decision log decisions.jsonl: ", "events, of which ",
		"# Left out, since they cannot be replayed:\n", ": each was decided by no policy: unauthenticated\n",
		"suite: decisions of decisions.jsonl\n", "\nmatrix:\n",
		"\n  \"GET https://api.acme.example/orders/42?expand=items\":\n", // suites run beside each other: in any order
		"      alice: allow\n", ": {kind: deny, status: 403, reasons: [insufficient_scope]}\n",
		"    key: shown\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the suite lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, tokenText) {
		t.Error("the suite holds a token")
	}
}

// decidedOnce is the log of the cases of one suite by the policy of the other tests.
func decidedOnce(t *testing.T, cfg *config.Config, text string) (*engine.Policy, []byte) {
	t.Helper()
	inside(t, map[string]string{"policies/s_suite.yaml": text})
	s, err := LoadSuites(cfg, []string{"policies"})
	if err != nil {
		t.Fatal(err)
	}
	policy := compiled(t)
	return policy, logged(t, cfg, policy, s)
}

func TestBootstrap_OddTextsAreQuoted(t *testing.T) {
	cfg := served()
	policy, log := decidedOnce(t, cfg, `suite: s
now: 2026-11-20T12:00:00Z
tokens:
  odd: {active: true, scope: read, sub: "none", username: "no: #\n\u2028 \"ü", aud: "*a", x: ["&b", null, 1.50, true, {"- c": "~"}]}
cases:
  - {name: a, token: odd, request: {url: "/a%20b?q=%22&q=%0a", headers: {x-tenant: ["null", "[x", ""]}, source_ip: "::1"}, expect: {allow: true}}
  - {name: b, token: odd, request: {url: "http://[::1]:8080/x", method: PATCH}, context: {"a b": "%"}, expect: {allow: true}}
`)
	text, results := bootstrapped(t, cfg, policy, log)
	if allPass(t, results, 2); t.Failed() {
		t.Log(text)
	}
}

func TestBootstrap_JWTsStayJWTs(t *testing.T) {
	cfg := twoIssuers()
	policy, log := decidedOnce(t, cfg, `suite: s
now: 2026-11-20T12:00:00Z
tokens:
  a: {jwt: {iss: https://main.example, sub: s, aud: api, client_id: c, jti: j, iat: 1795175000, exp: 1795177000, scope: read}}
  again: {jwt: {iss: https://main.example, sub: s, aud: api, client_id: c, jti: k, iat: 1795179000, exp: 1795190000, scope: read}}
cases:
  - {name: a, token: a, request: {url: /a}, expect: {allow: true}}
  - {name: b, token: again, now: 2026-11-20T13:00:00Z, request: {url: /a}, expect: {allow: true}}
  - {name: c, token: again, now: 2026-11-20T13:00:00Z, request: {url: /b}, expect: {allow: true}}
`)
	text, results := bootstrapped(t, cfg, policy, log)
	allPass(t, results, 2)
	if !strings.Contains(text, "  s: {jwt: {") || strings.Count(text, "jwt: ") != 1 {
		t.Errorf("the two tokens differ in nothing that lasts:\n%s", text)
	}
}

func TestBootstrap_WhatCannotBeReplayedIsCounted(t *testing.T) {
	cfg := served()
	policy, log := decidedOnce(t, cfg, head+`  - {name: a, token: reader, request: {url: /a}, expect: {allow: true}}
  - {name: b, token: lost, request: {url: /a}, expect: {kind: unavailable}}
  - {name: c, request: {url: /a}, expect: {kind: unauthenticated}}
`)
	lines := strings.SplitAfter(string(log), "\n")
	allowed := lines[slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, `"kind":"allow"`) })]
	lines = append(lines, "another log\n",
		strings.Replace(allowed, `"decision_id"`, `"masked":["/input/token/subject/id"],"decision_id"`, 1),
		strings.Replace(allowed, `"sub":"rita"`, `"sub":"rota"`, 1), allowed)
	text, results := bootstrapped(t, cfg, policy, []byte(strings.Join(lines, "")))
	allPass(t, results, 1)
	for _, want := range []string{
		"#   1: each lacks what a mask of the log left out: /input/token/subject/id\n",
		"#   1: each line holds no event\n",
		"#   1: each was decided by no policy: unauthenticated\n",
		"#   1: each was decided by no policy: unavailable\n",
		"#   1: each has a request or a token that this configuration reads otherwise: /input/token/subject/id\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the suite lacks %q:\n%s", want, text)
		}
	}
}

func TestBootstrap_LogOfNothing(t *testing.T) {
	inside(t, map[string]string{})
	for _, log := range []string{"", "no event\n", "\x00\x01\x02"} {
		_, err := Bootstrap(t.Context(), strings.NewReader(log), "x.jsonl", served(), compiled(t))
		if !errors.Is(err, ErrNothingToReplay) || !strings.HasPrefix(err.Error(),
			"read x.jsonl: no event can be replayed of 0") {
			t.Errorf("error is %v", err)
		}
	}
}
