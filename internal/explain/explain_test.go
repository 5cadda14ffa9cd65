package explain_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/explain"
)

var denied = authz.Decision{Kind: authz.Deny, Status: 403, Reasons: []authz.Reason{{Code: "no", Message: "not now"}}}

// stopped is a rule that stopped at an expression.
func stopped(rule string, row int, text string, operands []engine.Operand,
	causes ...engine.RuleOutcome) engine.RuleOutcome {
	return engine.RuleOutcome{Rule: rule, File: "p.rego", Row: row,
		Failed: &engine.Expr{Text: text, File: "p.rego", Row: row + 1, Operands: operands, Causes: causes}}
}

func value(text, v string) []engine.Operand { return []engine.Operand{{Text: text, Value: v}} }

func undefined(text string) []engine.Operand { return []engine.Operand{{Text: text, Undefined: true}} }

func same(t *testing.T, got, want string) {
	t.Helper()
	if got != strings.TrimLeft(want, "\n") {
		t.Errorf("got\n%s\nwant%s", got, want)
	}
}

func TestARuleThatOnlyAsksForOthersIsPassedOver(t *testing.T) {
	r := explain.Of(denied, engine.Explanation{
		Decided: []engine.RuleOutcome{{Rule: "data.a.decision", Part: "else", File: "p.rego", Row: 3, Fired: true}},
		WouldAllow: []engine.RuleOutcome{stopped("data.a.decision", 1, "allow", undefined("allow"),
			stopped("data.a.allow", 10, "x == y", append(value("x", "1"), value("y", "2")...)),
			stopped("data.a.allow", 20, "f(x)", value("x", "1"),
				stopped("data.sidecar.m.f", 30, "g(z)", value("z", "1"),
					stopped("data.sidecar.m.g", 40, "z == 0", value("z", "1")))))},
	}, explain.Facts{})
	same(t, r.Brief("more"), `
deny 403  no: not now
decided by   data.a.decision (else)  p.rego:3
would allow  data.a.allow stopped at x == y  p.rego:11
             x is 1, y is 2
would allow  data.a.allow stopped at f(x)  p.rego:21
             data.sidecar.m.g stopped at z == 0: z is 1  p.rego:41
`)
}

func TestTheBriefFormHasTenLinesAtMost(t *testing.T) {
	why := engine.Explanation{Decided: []engine.RuleOutcome{{Rule: "data.a.decision", File: "p.rego", Row: 1}}}
	for i := range 30 {
		why.Reasons = append(why.Reasons, engine.Reason{Code: fmt.Sprint("c", i), Rule: "data.a.deny", File: "p.rego",
			Row: i})
		why.WouldAllow = append(why.WouldAllow, stopped("data.a.allow", i, "x", undefined("x"),
			stopped("data.a.x", i, "y", undefined("y"), stopped("data.a.y", i, "z == 1", value("z", "2")))))
	}
	for _, facts := range []explain.Facts{{}, {HiddenHeaders: []string{"x-a"}, Named: true}} {
		r := explain.Of(denied, why, facts)
		text := r.Brief("look there")
		if n := strings.Count(text, "\n"); n > 10 || n < 8 || !strings.Contains(text, "and more: look there\n") {
			t.Errorf("%d lines:\n%s", n, text)
		}
		if n := strings.Count(r.Whole(), "\n"); n < 90 {
			t.Errorf("%d lines of all", n)
		}
	}
}

func TestReasonsThatNoRuleGaveAreExplained(t *testing.T) {
	for name, c := range map[string]struct {
		d    authz.Decision
		want string
	}{
		"no credential": {
			authz.Decision{Kind: authz.Unauthenticated, Status: 401, Cause: &authz.Error{Kind: authz.Unauthenticated,
				Code: "no_credential", Err: fmt.Errorf("read credential: the request has none")}},
			"no policy was asked, for the request has no Authorization header with Bearer or DPoP; decision.token: " +
				"optional"},
		"an unusable token": {
			authz.Decision{Kind: authz.Unauthenticated, Status: 401, Cause: authz.Errorf(authz.Unauthenticated,
				"check token: it has expired")},
			"no policy was asked, for the token may not be used: see docs/troubleshooting.md#the-token-is-not-accepted"},
		"an ambiguous path": {
			authz.Decision{Kind: authz.Malformed, Status: 400, Cause: authz.Errorf(authz.Malformed,
				"read request: the path is ambiguous: it has an encoded slash")},
			"input.ambiguous_paths: accept"},
		"a malformed request": {
			authz.Decision{Kind: authz.Malformed, Status: 400, Cause: authz.Errorf(authz.Malformed,
				"read request: the source address is not an IP address")},
			"see docs/troubleshooting.md#malformed"},
		"an outage": {
			authz.Decision{Kind: authz.Unavailable, Status: 503, Cause: authz.Errorf(authz.Unavailable,
				"introspect: no answer in time")},
			"no policy was asked, for nothing is known about the token: see docs/troubleshooting.md#unavailable"},
		"a fault of the operator": {
			authz.Decision{Kind: authz.Misconfigured, Status: 500, Cause: authz.Errorf(authz.Misconfigured,
				"evaluate data.a.decision: undefined")},
			"the policies or the configuration have to change: see docs/troubleshooting.md#misconfigured"},
		"a bug": {authz.Decision{Status: 500, Cause: authz.Errorf(authz.Internal, "decide: panic")},
			"the sidecar failed: its log says more"},
	} {
		t.Run(name, func(t *testing.T) {
			r := explain.Of(c.d, engine.Explanation{}, explain.Facts{})
			text := r.Brief("")
			if !strings.Contains(text, "\ncause        "+c.d.Cause.Error()+"\n") || !strings.Contains(text, c.want) {
				t.Errorf("explained as\n%s", text)
			}
		})
	}
}

func TestAHeaderThatARuleLookedForAndPoliciesDoNotSeeIsNamed(t *testing.T) {
	looked := []engine.Operand{{Text: "input.request.headers[h]", Path: `input.request.headers["x-org"]`,
		Undefined: true}}
	why := engine.Explanation{WouldAllow: []engine.RuleOutcome{stopped("data.a.allow", 1, "ok", undefined("ok"),
		stopped("data.a.ok", 3, "input.request.headers[h] == []", looked))}}
	r := explain.Of(denied, why, explain.Facts{HiddenHeaders: []string{"x-org", "x-other"}})
	if len(r.Notes) != 1 || !strings.HasPrefix(r.Notes[0],
		"the request has x-org, but input.headers does not pass it") {
		t.Errorf("notes %q", r.Notes)
	}
	r = explain.Of(denied, why, explain.Facts{HiddenHeaders: []string{"x-other"}})
	if len(r.Notes) != 0 {
		t.Errorf("notes %q", r.Notes)
	}
}

func TestASubjectOfUnknownTypeIsExplainedWhereADenialAsksForItToo(t *testing.T) {
	why := engine.Explanation{Reasons: []engine.Reason{{Code: "no", Rule: "data.a.deny", Held: &engine.Expr{
		Text: `input.token.subject.type != "user"`, Operands: value("input.token.subject.type", `"unknown"`)}}}}
	r := explain.Of(denied, why, explain.Facts{})
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "subject.user or subject.client of the issuer") {
		t.Errorf("notes %q", r.Notes)
	}
}

func TestTextsOfCallersDoNotReachTheTerminalAsTheyAre(t *testing.T) {
	d := authz.Decision{Kind: authz.Deny, Status: 403, Reasons: []authz.Reason{{Code: "no", Message: "a\x1b[2Jb\nc"}}}
	r := explain.Of(d, engine.Explanation{}, explain.Facts{})
	if text := r.Brief(""); strings.ContainsAny(text, "\x1b") || strings.Count(text, "\n") != 1 {
		t.Errorf("text %q", text)
	}
	if line := explain.Line(engine.Print{File: "p.rego", Row: 2, Text: "x\x1b]0;y\a"}); strings.ContainsAny(line,
		"\x1b\a") {
		t.Errorf("line %q", line)
	}
}

func TestAReportIsJSONWithEveryPartThere(t *testing.T) {
	b, err := jsonv2.Marshal(explain.Of(denied, engine.Explanation{}, explain.Facts{}))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"decided", "held", "reasons", "would_allow", "rules", "prints", "notes"} {
		if list, ok := got[name].([]any); !ok || len(list) != 0 {
			t.Errorf("%s is %v in %s", name, got[name], b)
		}
	}
	if len(got) != 7 {
		t.Errorf("members of %s", b)
	}
}
