package policytest

import (
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// headless is head without its cases.
var headless = strings.TrimSuffix(head, "cases:\n")

// decidedAll runs all cases of a suite with a configuration.
func decidedAll(t *testing.T, cfg *config.Config, text string) []Result {
	t.Helper()
	inside(t, map[string]string{"policies/s_suite.yaml": text})
	s, err := LoadSuites(cfg, []string{"policies"})
	if err != nil {
		t.Fatal(err)
	}
	results, err := Decisions(t.Context(), compiled(t), cfg, s)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func allPass(t *testing.T, results []Result, many int) {
	t.Helper()
	if len(results) != many {
		t.Errorf("%d cases ran, want %d", len(results), many)
	}
	for _, r := range results {
		if r.Outcome != Passed {
			t.Error(r)
		}
	}
}

func TestMatrix_EachCellIsACase(t *testing.T) {
	results := decidedAll(t, served(), headless+`matrix:
  read a:
    request: {url: /a}
    expect: {reader: allow, writer: denied, lost: unavailable, refused: 503, none: 401}
  read b:
    request: {url: /b}
    expect:
      writer: deny
      none: no_credential
      reader: {allow: true, upstream_headers: {X-Subject: rita}}
`)
	allPass(t, results, 8)
	same(t, results[0].String(), "passed: s: read a / reader (policies/s_suite.yaml:11)")
	same(t, results[7].String(), "passed: s: read b / reader (policies/s_suite.yaml:17)")
}

func TestMatrix_CellThatIsWrong(t *testing.T) {
	results := decidedAll(t, served(), headless+`matrix:
  read a:
    request: {url: /a}
    expect: {reader: denied, writer: allow, lost: 401, none: other}
`)
	for i, want := range []string{
		"kind: got allow, want any other", "kind: got deny, want allow", "status: got 503, want 401",
		"reasons: got [no_credential], want [other]",
	} {
		if r := results[i]; r.Outcome != Failed || r.Output[0] != want {
			t.Errorf("got %s, want %q", r, want)
		}
	}
}

func TestMatrix_Problems(t *testing.T) {
	refused(t, headless+"matrix: []\n", "8:9: suite_error: matrix must be a mapping")
	refused(t, headless+"matrix: {}\n", "1:1: suite_error: the suite has no cases")
	refused(t, headless+`matrix:
  a: {expect: {reader: allow}}
  b: {request: {url: /}}
  c: {request: {url: /}, expect: {redaer: allow, reader: [allow], writer: 302, lost: '', refused: true}}
`, "9:3: suite_error: the row has no request",
		"10:3: suite_error: the row expects nothing: write what each token gets, such as {none: 401}",
		`11:35: suite_error: there is no token "redaer"; did you mean "reader"?`,
		"11:58: suite_error: want allow, deny, another kind, a status, the code of the only reason, "+
			"or what expect holds, such as {kind: deny, reasons: [a, b]}",
		"11:75: suite_error: want the status of a decision: 200, or 400 to 599",
		"11:86: suite_error: want allow, deny, another kind, a status, the code of the only reason, "+
			"or what expect holds, such as {kind: deny, reasons: [a, b]}",
		"11:99: suite_error: want allow, deny, another kind, a status, the code of the only reason, "+
			"or what expect holds, such as {kind: deny, reasons: [a, b]}")
	refused(t, strings.Replace(headless, "reader:", "none:", 1)+
		"matrix: {a: {request: {url: /}, expect: {none: 401}}}\n",
		`8:9: suite_error: a token is called "none", which stands for no token in a matrix: rename it`)
}

func TestReasonsWithOneCodeAreStatedOnce(t *testing.T) {
	d := &authz.Decision{Kind: authz.Deny, Status: 403, Reasons: []authz.Reason{
		{Code: "login", Message: "a recent one"}, {Code: "denied"}, {Code: "login", Message: "a stronger one"},
	}}
	for _, stated := range [][]string{{"denied", "login"}, {"login", "login", "denied"}} {
		if differ := (&expectation{reasons: &stated}).differences(d); differ != nil {
			t.Errorf("%v: %v", stated, differ)
		}
	}
	stated := []string{"login"}
	differ := (&expectation{reasons: &stated}).differences(d)
	if len(differ) != 1 || differ[0] != "reasons: got [denied login], want [login]" {
		t.Errorf("got %v", differ)
	}
}

const aboutRequests = `package authz

# METADATA
# entrypoint: true
default decision := false

decision := {"allow": true, "obligations": [{"id": input.request.headers["x-tenant"][0]}], "context": {
	"host": input.request.host, "method": input.request.method, "source": input.request.source_ip,
}}
`

func TestSuite_DefaultsOfRequests(t *testing.T) {
	inside(t, map[string]string{"policies/authz.rego": aboutRequests, "policies/s_suite.yaml": headless + `defaults:
  host: api.example
  method: POST
  source_ip: 10.0.0.1
  headers: {X-Tenant: acme}
cases:
  - {name: by default, token: reader, request: {url: /a}, expect: {allow: true, obligations: [{id: acme}],
     context: {host: api.example, method: POST, source: 10.0.0.1, obligations: [{id: acme}]}}}
  - {name: its own, token: reader, request: {url: 'https://other/a', method: PUT, source_ip: 10.0.0.2, headers: {x-tenant: b}},
     expect: {allow: true, context: {host: other, method: PUT, source: 10.0.0.2, obligations: [{id: b}]}}}
  - {name: taken away, token: reader, request: {url: /a, headers: {x-tenant: []}}, expect: {kind: deny}}
`})
	s, err := LoadSuites(served(), []string{"policies"})
	if err != nil {
		t.Fatal(err)
	}
	cfg := served()
	p := compiled(t)
	results, err := Decisions(t.Context(), p, cfg, s)
	if err != nil {
		t.Fatal(err)
	}
	allPass(t, results, 3)
}

func TestSuite_ObligationsThatDiffer(t *testing.T) {
	results := decidedAll(t, served(), head+"  - {name: x, token: reader, request: {url: /a}, "+
		"expect: {allow: true, obligations: [{a: 1}]}}\n  - {name: y, token: reader, request: {url: /a}, "+
		"expect: {allow: true, obligations: []}}\n")
	if got := results[0].Output[0]; got != `obligations: got [], want [{"a":1}]` || results[1].Outcome != Passed {
		t.Errorf("got %v", results)
	}
}

func TestSuite_ACaseMayHaveATimeOfItsOwn(t *testing.T) {
	allPass(t, decidedAll(t, served(), `suite: s
now: 2026-11-20T12:00:00Z
tokens: {short: {active: true, scope: read, sub: s, exp: 1795176001}}
cases:
  - {name: x, token: short, request: {url: /a}, expect: {allow: true}}
  - {name: y, token: short, now: 2026-11-20T12:00:01Z, request: {url: /a}, expect: {kind: unauthenticated}}
matrix:
  z: {now: 2026-11-20T12:00:01Z, request: {url: /a}, expect: {short: 401}}
`), 3)
}

// twoIssuers is a configuration of which the second issuer has a tenant rule of its own.
func twoIssuers() *config.Config {
	cfg := served()
	cfg.Issuers = []issuer.Config{
		{Endpoint: oauth.Config{Name: "main", Issuer: "https://main.example"},
			Dialect: dialect.Config{Audience: []string{"api"}}},
		{Endpoint: oauth.Config{Name: "partner", Issuer: "https://partner.example"},
			Dialect: dialect.Config{Audience: []string{"partner-api"}}},
	}
	return cfg
}

func TestSuite_ConfiguredIssuersReadTheAnswers(t *testing.T) {
	const tokens = `suite: s
now: 2026-11-20T12:00:00Z
tokens:
  main: {active: true, scope: read, sub: s, aud: api}
  elsewhere: {active: true, scope: read, sub: s, aud: partner-api}
  partner: {active: true, scope: read, sub: s, aud: partner-api, iss: https://partner.example}
`
	allPass(t, decidedAll(t, twoIssuers(), tokens+
		"matrix: {a: {request: {url: /a}, expect: {main: allow, elsewhere: 401, partner: allow}}}\n"), 3)
	allPass(t, decidedAll(t, twoIssuers(), "issuer: partner\n"+tokens+
		"matrix: {a: {request: {url: /a}, expect: {main: 401, elsewhere: allow, partner: allow}}}\n"), 3)
	refusedBy(t, twoIssuers(), "issuer: partnr\n"+tokens+"matrix: {a: {request: {url: /a}, expect: {main: 401}}}\n",
		`1:9: suite_error: no configured issuer is called "partnr"; did you mean "partner"?`)
}

func TestSuite_ClaimsOfAJWTAreReadByTheRulesForJWTs(t *testing.T) {
	const claims = "iss: https://main.example, sub: s, aud: api, client_id: c, jti: j, iat: 1795175000, scope: read"
	allPass(t, decidedAll(t, twoIssuers(), `suite: s
now: 2026-11-20T12:00:00Z
tokens:
  good: {jwt: {`+claims+`, exp: 1795177000}}
  over: {jwt: {`+claims+`, exp: 1795176000}}
  endless: {jwt: {`+claims+`}}
  foreign: {jwt: {`+strings.Replace(claims, "main", "evil", 1)+`, exp: 1795177000}}
  audience: {jwt: {`+strings.Replace(claims, "api", "other", 1)+`, exp: 1795177000}}
  early: {jwt: {`+claims+`, nbf: 1795176500, exp: 1795177000}}
matrix:
  a: {request: {url: /a}, expect: {good: allow, over: invalid_token, endless: 401, foreign: 401, audience: 401, early: 401}}
`), 6)
	refused(t, "suite: s\nnow: 2026-11-20T12:00:00Z\ntokens: {a: {jwt: {sub: x}}}\n"+
		"matrix: {a: {request: {url: /a}, expect: {a: 401}}}\n",
		`1:1: suite_error: token "a" is a JWT, and its issuer has no identifier: say it as issuer in the configuration, or in the suite`)
}
