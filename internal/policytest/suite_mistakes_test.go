package policytest

import "testing"

func TestLoadSuites_OneMistakeIsOneProblem(t *testing.T) {
	case1 := func(rest string) string { return head + "  - {name: x, request: {url: /a}, " + rest + "}\n" }
	refused(t, case1("expects: {allow: true}"),
		`9:35: suite_error: unknown key "expects" in a case; did you mean "expect"?`)
	refused(t, head+"  - {title: x, request: {url: /a}, expect: {allow: true}}\n",
		`9:6: suite_error: unknown key "title" `+
			"in a case, want one of context, entrypoint, expect, key, name, now, request, token")
	refused(t, case1("expect: allow"), "9:43: suite_error: expect must be a mapping")
	refused(t, case1("expect: {kind: denied}"), "9:50: suite_error: want one of internal, allow, deny, "+
		`unauthenticated, malformed, unavailable, misconfigured`)
	refused(t, case1("expect: {status: 403}"),
		"9:43: suite_error: expect has neither allow nor kind: write allow: true, or allow: false")
	refused(t, "suite: s\nnow: 2026-11-20T12:00:00Z\ntokens: [{reader: {active: true}}]\ncases:\n  - {name: x, "+
		"token: reader, request: {url: /a}, expect: {allow: true}}\n", "3:9: suite_error: tokens must be a mapping")
	refused(t,
		"suite: s\nnow: 2026-11-20T12:00:00Z\ncases:\n  - {name: x, token: reader, request: {url: /a}, expect: "+
			"{allow: true}}\n", `4:22: suite_error: there is no token "reader": write its introspection answer under tokens`)
}

func TestMatrix_OutcomesThatAreNearlyWords(t *testing.T) {
	row := func(cell string) string {
		return headless + "matrix: {a: {request: {url: /}, expect: {none: " + cell + "}}}\n"
	}
	for cell, want := range map[string]string{
		"alow":  `this is no kind of a decision; did you mean "allow"?`,
		"ALLOW": `this is no kind of a decision; did you mean "allow"?`,
		"dney":  `this is no kind of a decision; did you mean "deny"?`,
		`"401"`: "a status is a number: write it without quotes",
	} {
		refused(t, row(cell), "8:48: suite_error: "+want)
	}
}
