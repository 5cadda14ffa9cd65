package policytest

import "testing"

const keys = `suite: s
now: 2026-11-20T12:00:00Z
tokens:
  free: {active: true, scope: read, sub: rita, aud: api}
  dpop: {active: true, scope: read, sub: rita, aud: api, token_type: DPoP, cnf: {jkt: 0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I}}
  mtls: {active: true, scope: read, sub: rita, aud: api, cnf: {"x5t#S256": A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0}}
  odd: {active: true, scope: read, sub: rita, aud: api, cnf: {osc: {}}}
  gone: {active: false}
  lost: {error: unavailable}
cases:
`

func TestSuite_ABoundTokenNeedsItsKeyStatedAsShown(t *testing.T) {
	for _, name := range []string{"dpop", "mtls"} {
		passes(t, keys+"  - {name: x, token: "+name+", key: shown, request: {url: /a}, expect: {allow: true}}\n")
		passes(t, keys+"  - {name: x, token: "+name+", key: withheld, request: {url: /a}, "+
			"expect: {kind: unauthenticated, reasons: [invalid_token]}}\n")
		passes(t, keys+"  - {name: x, token: "+name+", request: {url: /a, headers: {dpop: a.b.c}}, "+
			"expect: {kind: unauthenticated, reasons: [invalid_token]}}\n")
	}
}

func TestSuite_AStatedKeyMakesNoOtherTokenGood(t *testing.T) {
	passes(t, keys+"  - {name: x, token: free, key: shown, request: {url: /a}, expect: {allow: true}}\n")
	for _, name := range []string{"odd", "gone"} {
		passes(t, keys+"  - {name: x, token: "+name+", key: shown, request: {url: /a}, "+
			"expect: {kind: unauthenticated, reasons: [invalid_token]}}\n")
	}
	passes(t, keys+"  - {name: x, token: lost, key: shown, request: {url: /a}, expect: {kind: unavailable}}\n")
	passes(t, keys+"  - {name: x, key: shown, request: {url: /a}, "+
		"expect: {kind: unauthenticated, reasons: [no_credential]}}\n")
	passes(t,
		keys+"  - {name: BR-2, token: dpop, key: shown, request: {url: /a, headers: {authorization: Bearer b}}, "+
			"expect: {kind: malformed}}\n")
	refused(t, keys+"  - {name: x, token: dpop, key: maybe, request: {url: /a}, "+
		"expect: {allow: true}}\n", "11:33: suite_error: want one of shown, withheld")
}
