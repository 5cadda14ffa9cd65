package policytest

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/config"
)

const head = `suite: s
now: 2026-11-20T12:00:00Z
tokens:
  reader: {active: true, scope: read, sub: rita, aud: api}
  writer: {active: true, scope: write, sub: will, aud: api}
  lost: {error: unavailable}
  refused: {error: misconfigured}
cases:
`

func suites(t *testing.T, text string) []Suite {
	t.Helper()
	inside(t, map[string]string{"policies/s_suite.yaml": text})
	s, err := LoadSuites(served(), []string{"policies"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// decided runs the one case of a suite.
func decided(t *testing.T, text string) Result {
	t.Helper()
	s := suites(t, text)
	results, err := Decisions(t.Context(), compiled(t), served(), s)
	if err != nil {
		t.Fatal(err)
	}
	return only(t, results)
}

func passes(t *testing.T, text string) {
	t.Helper()
	if r := decided(t, text); r.Outcome != Passed || r.Output != nil {
		t.Error(r)
	}
}

func TestSuite_CaseThatHolds(t *testing.T) {
	r := decided(t, head+`  - name: a reader reads
    token: reader
    request: {method: GET, url: /a, headers: {X-Tenant: acme}, source_ip: 10.0.0.1, body: x}
    context: {a: 1}
    expect: {allow: true, kind: allow, status: 200, reasons: [], challenge: none, headers: {WWW-Authenticate: []}, upstream_headers: {x-subject: rita}}
`)
	same(t, r.String(), "passed: s: a reader reads (policies/s_suite.yaml:9)")
}

func TestSuite_EveryDifferenceIsALine(t *testing.T) {
	r := decided(t, head+`  - name: wrong
    token: writer
    request: {url: /a}
    expect:
      allow: true
      status: 200
      reasons: [b, a]
      challenge: Bearer
      headers: {Retry-After: ["1"], A: x}
      upstream_headers: {X-Subject: [rita]}
      context: {age: 1}
`)
	same(t, r.String(), `failed: s: wrong (policies/s_suite.yaml:9)
    kind: got deny, want allow
    status: got 403, want 200
    reasons: got [denied], want [a b]
    challenge: got none, want Bearer
    headers: A: got [], want ["x"]
    headers: Retry-After: got [], want ["1"]
    upstream_headers: X-Subject: got [], want ["rita"]
    context: got {"age":0}, want {"age":1}
    deny 403  denied: needs read
    decided by   data.authz.decision (else)  policies/authz.rego:7
    reason       denied  data.authz.decision (else)  policies/authz.rego:7
    would allow  data.authz.decision stopped at "read" in input.token.scopes  policies/authz.rego:6
                 input.token.scopes is ["write"]`)
}

func TestSuite_CauseOfARefusalIsShown(t *testing.T) {
	r := decided(t, head+"  - {name: x, token: lost, request: {url: /a}, expect: {allow: true}}\n")
	if got := strings.Join(r.Output, "\n"); !strings.Contains(got,
		"cause        ask about the token: the suite says that this fails") {
		t.Error(got)
	}
}

func TestSuite_OnlyWhatIsStatedIsCompared(t *testing.T) {
	passes(t, head+"  - {name: x, token: writer, request: {url: /a}, expect: {allow: false}}\n")
}

func TestSuite_ContextIsComparedAsJSON(t *testing.T) {
	passes(t, head+"  - {name: x, token: writer, request: {url: /a}, expect: {allow: false, context: {age: 0.0}}}\n")
}

func TestSuite_ContextThatIsNotThere(t *testing.T) {
	r := decided(t, head+"  - {name: x, token: reader, request: {url: /a}, expect: {allow: true, context: {a: 1}}}\n")
	if r.Outcome != Failed || r.Output[0] != `context: got nothing, want {"a":1}` {
		t.Error(r)
	}
}

func TestSuite_TokensCanFail(t *testing.T) {
	for token, kind := range map[string]string{"lost": "unavailable", "refused": "misconfigured"} {
		t.Run(token, func(t *testing.T) {
			passes(t, head+"  - {name: x, token: "+token+", request: {url: /a}, "+
				"expect: {kind: "+kind+", status: 503}}\n")
		})
	}
}

func TestSuite_AnUnknownCredentialIsInactive(t *testing.T) {
	passes(t, head+"  - {name: x, request: {url: /a, headers: {Authorization: Bearer abc}}, "+
		"expect: {kind: unauthenticated, reasons: [invalid_token]}}\n")
}

func TestSuite_RealmAndTokenReplaceTheConfiguration(t *testing.T) {
	passes(t, "token: optional\nrealm: other\n"+head+"  - {name: x, request: {url: /a}, "+
		"expect: {kind: deny, status: 401, challenge: 'Bearer realm=\"other\"'}}\n")
	passes(t, "realm: other\n"+head+"  - {name: x, request: {url: /a}, "+
		"expect: {kind: unauthenticated, challenge: 'Bearer realm=\"other\"'}}\n")
}

func TestSuite_IssuerShapesFacts(t *testing.T) {
	passes(t, "issuer: {dialect: duende, issuer: 'https://a', audience: [other], absent_audience: refuse, "+
		"tenant: [/t], roles: [/r]}\n"+head+
		"  - {name: x, token: reader, request: {url: /a}, expect: {kind: unauthenticated}}\n")
}

func TestSuite_TimeIsThatOfTheSuite(t *testing.T) {
	const early = `suite: s
now: 2026-11-20T12:00:00Z
tokens:
  short: {active: true, scope: read, sub: s, exp: 1795176001}
cases:
  - {name: x, token: short, request: {url: /a}, expect: `
	passes(t, early+"{allow: true}}\n")
	passes(t, strings.Replace(early, "12:00:00", "12:00:01", 1)+"{kind: unauthenticated}}\n")
}

func TestSuite_EntrypointThatMayNotBeAsked(t *testing.T) {
	r := decided(t, head+"  - {name: x, token: reader, entrypoint: a/b, request: {url: /a}, expect: {allow: true}}\n")
	same(t, strings.Join(r.Output, "\n"), `entrypoint: "a/b" may not be asked, only authz/decision`)
}

// refused loads what must not load, and compares all complaints.
func refused(t *testing.T, text string, want ...string) {
	t.Helper()
	refusedBy(t, served(), text, want...)
}

func refusedBy(t *testing.T, cfg *config.Config, text string, want ...string) {
	t.Helper()
	inside(t, map[string]string{"policies/s_suite.yml": text})
	s, err := LoadSuites(cfg, []string{"policies"})
	ps, ok := errors.AsType[bundle.Problems](err)
	if !ok || s != nil {
		t.Fatalf("error is %T: %v", err, err)
	}
	same(t, strings.ReplaceAll(ps.Error(), "policies/s_suite.yml:", ""), strings.Join(want, "\n"))
}

func TestLoadSuites_UnknownKeysAreErrors(t *testing.T) {
	refused(t, head+"  - {name: x, tokne: reader, request: {urll: /a}, expect: {alow: true}}\n",
		`9:15: suite_error: unknown key "tokne" in a case; did you mean "token"?`,
		`9:40: suite_error: unknown key "urll" in request; did you mean "url"?`,
		`9:60: suite_error: unknown key "alow" in expect; did you mean "allow"?`)
	refused(t, head+"  - {name: x, zzzzzz: 1, request: {url: /a}, expect: {allow: true}}\n",
		`9:15: suite_error: unknown key "zzzzzz" in a case, `+
			`want one of context, entrypoint, expect, key, name, now, request, token`)
}

func TestLoadSuites_StatusThatNoDecisionHasIsRefused(t *testing.T) {
	for _, status := range []string{"0", "-1", "204", "302", "600"} {
		refused(t, head+"  - {name: x, request: {url: /a}, expect: {allow: true, status: "+status+"}}\n",
			"9:65: suite_error: want the status of a decision: 200, or 400 to 599")
	}
}

func TestLoadSuites_WhatIsMissing(t *testing.T) {
	refused(t, "cases: []\n", "1:1: suite_error: now is missing: a decision depends on its time",
		"1:1: suite_error: the suite has no cases", "1:1: suite_error: the suite has no name: suite is missing")
	refused(t, head+"  - {request: {url: /a}}\n", "9:5: suite_error: the case expects nothing: write expect, such "+
		"as {allow: true}",
		"9:5: suite_error: the case has no name")
}

func TestLoadSuites_WrongTypes(t *testing.T) {
	refused(t, `suite: [s]
now: yesterday
token: perhaps
realm: r
issuer: text
tokens: {a: text, b: {error: typo}, c: {1: x, [a]: y}}
cases:
  - {name: x, token: missing, request: {url: /a, headers: {a: {b: c}}}, context: text, expect: {allow: maybe, status: many, reasons: text}}
`,
		"1:1: suite_error: the suite has no name: suite is missing",
		"1:8: suite_error: want text",
		"2:6: suite_error: want a time of RFC 3339, such as 2026-11-20T12:00:00Z",
		"3:8: suite_error: want one of required, optional",
		"5:9: suite_error: the configuration has no issuers: "+
			"name a configuration, or write a mapping with dialect, tenant ...",
		"6:13: suite_error: a token must be a mapping",
		"6:30: suite_error: error of a token must be unavailable or misconfigured",
		"6:41: suite_error: the key is not a string: put it in quotes",
		`8:22: suite_error: there is no token "missing"; tokens has a, b, c`,
		"8:63: suite_error: want a list of texts",
		"8:82: suite_error: context must be a mapping",
		"8:104: suite_error: want one of true, false",
		"8:119: suite_error: want the status of a decision: 200, or 400 to 599",
		"8:134: suite_error: want a list of texts")
}

func TestLoadSuites_Contradictions(t *testing.T) {
	refused(t, head+"  - {name: x, request: {url: /a}, "+
		"expect: {allow: true, kind: deny}}\n  - {name: x, name: y, request: {url: /b}, expect: {kind: deny}}\n",
		"9:43: suite_error: expect contradicts itself: allow is true and kind is deny",
		"10:5: suite_error: there are two cases \"x\"", "10:15: suite_error: duplicate key \"name\", first on line 10")
}

func TestLoadSuites_IssuerThatCannotBe(t *testing.T) {
	refused(t, "issuer: {dialect: klingon}\n"+head+"  - {name: x, request: {url: /a}, expect: {allow: true}}\n",
		`1:9: suite_error: check issuer "suite": dialect: "klingon" is not one of rfc7662, keycloak, duende, hydra, zitadel, authentik, okta, pingam, pingfederate, curity, wso2, spring, oidc-provider, openiddict, connect2id, auth0, entra, cognito, google, github`)
}

func TestLoadSuites_WhatIsNoMappingIsOneProblem(t *testing.T) {
	refused(t, "- a\n- b\n", "1:1: suite_error: the suite must be a mapping")
}

func TestLoadSuites_APipeIsNotWaitedFor(t *testing.T) {
	inside(t, map[string]string{})
	if err := syscall.Mkfifo("policies/p_suite.yaml", 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSuites(served(), []string{"policies"}); err == nil ||
		err.Error() != "policies/p_suite.yaml: read_error: is not a regular file" {
		t.Errorf("error is %v", err)
	}
}

func TestLoadSuites_NoYAML(t *testing.T) {
	refused(t, "a: [\n", "1:1: suite_error: did not find expected node content")
	refused(t, "# nothing\n", " suite_error: the file is empty")
	refused(t, strings.Repeat("#", maxSuiteBytes+1), " read_error: the file is over 4194304 bytes")
}

func TestLoadSuites_DirectoryThatIsNotThere(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := LoadSuites(served(), []string{"nowhere"})
	if err == nil || !strings.Contains(err.Error(), "nowhere: read_error") {
		t.Errorf("error is %v", err)
	}
}

func TestLoadSuites_HiddenDirectoriesAreLeftAlone(t *testing.T) {
	inside(t, map[string]string{"policies/.git/x_suite.yaml": "nonsense: 1"})
	if s, err := LoadSuites(served(), []string{"policies"}); err != nil || len(s) != 0 {
		t.Errorf("%d suites, error %v", len(s), err)
	}
}

func TestSuite_HeadersThatDifferInCaseAreJoinedAsInACall(t *testing.T) {
	for range 20 { // maps have no order
		passes(t,
			head+"  - {name: x, request: {url: /a, headers: {Authorization: Bearer a, authorization: Basic b}}, "+
				"expect: {kind: malformed}}\n")
	}
}
