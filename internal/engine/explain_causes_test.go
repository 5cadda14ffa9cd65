package engine

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestExplainFollowsFailuresToTheirCauses(t *testing.T) {
	for name, c := range map[string]struct{ rego, context, want string }{
		"through rules and functions": {`default decision := false

decision if allowed

allowed if {
	input.request.method == "GET"
	same(input.context.tenant)
}

same(t) if t == input.token.tenant
`, `{"tenant": "globex"}`, `
authz:5 data.authz.decision: 5: allowed; allowed undefined
	authz:7 data.authz.allowed: 9: same(input.context.tenant); input.context.tenant = "globex"
		authz:12 data.authz.same: 12: t == input.token.tenant; t = "globex"; input.token.tenant = "acme"
`},
		"to what is undefined": {`default decision := false

decision if input.context.login.acr in ["mfa"]
`, `{}`, `
authz:5 data.authz.decision: 5: input.context.login.acr in ["mfa"]; input.context.login.acr undefined for input.context.login
`},
		"behind the value of a default": {`default decision := false

decision if allow == true

default allow := false

allow if input.token.client_id == "root"

allow if input.token.tenant == input.context.tenant
`, `{"tenant": "globex"}`, `
authz:5 data.authz.decision: 5: allow == true; allow = false
	authz:11 data.authz.allow: 11: input.token.tenant == input.context.tenant; input.token.tenant = "acme"; input.context.tenant = "globex"
	authz:9 data.authz.allow: 9: input.token.client_id == "root"; input.token.client_id undefined
`},
		"in the names of the policy": {`default decision := false

decision if {
	found := [s | some s in input.token.scopes; startswith(s, "x")]
	some one in found
	one != split(input.request.path, "/")[1]
}

decision if split(input.request.path, "/")[1] == "x"
`, ``, `
authz:5 data.authz.decision: 7: some one in found; found = []
authz:11 data.authz.decision: 11: split(input.request.path, "/")[1] == "x"; split(input.request.path, "/")[1] = "orders"
`},
		"to the arguments of builtins": {`default decision := false

decision if startswith(input.request.path, input.context.prefix)
`, `{"prefix": "/admin"}`, `
authz:5 data.authz.decision: 5: startswith(input.request.path, input.context.prefix); input.request.path = "/orders/42"; input.context.prefix = "/admin"
`},
		"through not, to what holds": {`default decision := false

decision if not blocked

blocked if input.context.n > 3
`, `{"n": 4}`, `
authz:5 data.authz.decision: 5: not blocked; blocked = true
	authz:7 data.authz.blocked fired: 7: input.context.n > 3; input.context.n = 4
`},
		"through not in a rule that holds, to what fails": {`default decision := false

decision if not lacks_scope

lacks_scope if not has("orders:delete")

has(s) if s in input.token.scopes
`, ``, `
authz:5 data.authz.decision: 5: not lacks_scope; lacks_scope = true
	authz:7 data.authz.lacks_scope fired: 7: not has("orders:delete")
		authz:9 data.authz.has: 9: s in input.token.scopes; s = "orders:delete"; input.token.scopes = ["orders:read", "orders:write"]
`},
		"by the values of a set that denies": {`default decision := false

decision if count(deny) == 0

deny contains "late" if input.context.hour > 18
deny contains "early" if input.context.hour < 8
`, `{"hour": 20}`, `
authz:5 data.authz.decision: 5: count(deny) == 0; count(deny) = 1; deny = {"late"}
	authz:7 data.authz.deny fired: 7: input.context.hour > 18; input.context.hour = 20
`},
		"of the rule that an answer is taken from": {`decision := {"allow": allow, "reasons": []}

default allow := false

allow if input.token.client_id == "root"

allow if input.token.tenant == "globex"
`, ``, `
authz:9 data.authz.allow: 9: input.token.tenant == "globex"; input.token.tenant = "acme"
authz:7 data.authz.allow: 7: input.token.client_id == "root"; input.token.client_id undefined
`},
		"of an answer that is made of values": {`decision := {"allow": count(deny) == 0, "reasons": deny}

deny contains "late" if input.context.hour > 18
`, `{"hour": 20}`, `
authz:3 data.authz.decision fired: 3: {"allow": count(deny) == 0, "reasons": deny}; {"allow": count(deny) == 0, "reasons": deny} = {"allow": false, "reasons": {"late"}}
	authz:5 data.authz.deny fired: 5: input.context.hour > 18; input.context.hour = 20
`},
		"with the header that a variable names": {`default decision := false

decision if {
	name := input.context.header
	input.request.headers[name] == [input.token.tenant]
}
`, `{"header": "x-org"}`, `
authz:5 data.authz.decision: 7: input.request.headers[name] == [input.token.tenant]; input.request.headers["x-org"] undefined; [input.token.tenant] = ["acme"]
`},
	} {
		t.Run(name, func(t *testing.T) {
			_, e := explained(t, policy(t, patient, c.rego), question(c.context))
			sameRules(t, e.WouldAllow, c.want)
		})
	}
}

func TestExplainNamesTheRuleThatDecided(t *testing.T) {
	for name, c := range map[string]struct{ rego, want string }{
		"a body": {`default decision := false

decision if input.request.method == "GET"
`, "authz:5 data.authz.decision fired"},
		"a default": {`default decision := false

decision if input.request.method == "PUT"
`, "authz:3 data.authz.decision (default) fired"},
		"an else": {`decision := true if {
	input.request.method == "PUT"
} else := false
`, "authz:5 data.authz.decision (else) fired"},
		"the rule that the answer is taken from": {`decision := {"allow": allow}

default allow := false

allow if input.request.method == "PUT"
`, "authz:3 data.authz.decision fired\nauthz:5 data.authz.allow (default) fired"},
		"through a variable": {`default decision := false

decision := result if {
	ok := allow
	result := {"allow": ok}
}

allow if input.request.method == "GET"
`, "authz:5 data.authz.decision fired\nauthz:10 data.authz.allow fired"},
		"not an answer without conditions": {`default decision := false

decision := answer if {
	input.request.method == "GET"
}

answer := {"allow": true, "context": {"by": input.token.tenant}}
`, "authz:5 data.authz.decision fired"},
		"an else without conditions of its own": {`decision := answer

answer := {"allow": true} if input.request.method == "PUT"

else := {"allow": false, "status": 404}
`, "authz:3 data.authz.decision fired\nauthz:7 data.authz.answer (else) fired"},
		"behind an answer without conditions": {`default decision := false

decision := answer if {
	input.request.method == "GET"
}

answer := {"allow": allow}

allow if input.request.method == "GET"
`, "authz:5 data.authz.decision fired\nauthz:11 data.authz.allow fired"},
	} {
		t.Run(name, func(t *testing.T) {
			_, e := explained(t, policy(t, patient, c.rego), question(""))
			sameRules(t, e.Decided, c.want)
		})
	}
}

func TestExplainNamesTheRuleOfEachReason(t *testing.T) {
	_, e := explained(t, policy(t, patient, `decision := {"allow": false, "reasons": all_reasons}

all_reasons := deny | {{"code": "inline"}}

deny contains reason("tenant") if input.token.tenant != "globex"

deny contains {"code": "scope", "message": m} if m := sprintf("%s lacks", ["x"])

deny contains {"code": "other"} if input.request.method == "PUT"

deny contains "words" if true

reason(code) := {"code": code, "message": "no"}
`), question(""))
	var got []string
	for _, r := range e.Reasons {
		got = append(got, fmt.Sprintf("%s %s:%d", r.Code, r.Rule, r.Row))
	}
	want := []string{"denied data.authz.deny:13", "inline data.authz.all_reasons:5", "scope data.authz.deny:9",
		"tenant data.authz.deny:7"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestExplainHidesSecretsWhereverTheirValuesGo(t *testing.T) {
	p, err := compiled(t, patient, map[string]string{
		"policies/authz.rego": `package authz

default decision := false

decision if {
	some key in data.keys.api_keys
	known := [key, "and more"]
	input.context.credential == known[0]
	input.context.copy == key
}

decision if input.context.settings == {}

decision if input.context.copy == "other"
`,
		"policies/keys/data.json": `{"api_keys": ["the-key-of-a-partner"]}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, e := explained(t, p, question(`{"credential": "the-key-of-a-partner", "copy": "wrong the-key-of-a-partner",
		"settings": {"password": "hunter22222", "size": 3}}`))
	text := fmt.Sprintf("%+v", collected(e.WouldAllow))
	for _, secret := range []string{"the-key-of-a-partner", "hunter22222"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in %s", secret, text)
		}
	}
	if !strings.Contains(text, `{"password": "[redacted]", "size": 3}`) ||
		!strings.Contains(text, "wrong [redacted]") {
		t.Errorf("nothing is hidden in %s", text)
	}
}

// collected are the values of all operands.
func collected(outcomes []RuleOutcome) (out []string) {
	for _, o := range outcomes {
		if x := o.Failed; x != nil {
			for _, v := range x.Operands {
				out = append(out, v.Text+" "+v.Value)
			}
			out = append(out, collected(x.Causes)...)
		}
	}
	return out
}

func TestExplainCutsLongValues(t *testing.T) {
	p := policy(t, patient, "default decision := false\n\ndecision if input.context.long == \"\"\n"+
		"decision if input.context.many == []\n")
	_, e := explained(t, p, question(`{"long": "`+strings.Repeat("ä", 1<<20)+`", "many": [`+
		strings.Repeat("1,", 1<<18)+`1]}`))
	for _, o := range e.WouldAllow {
		if v := o.Failed.Operands[0].Value; len(v) > 300 || !strings.Contains(v, "...") {
			t.Errorf("%d bytes: %.400s", len(v), v)
		}
	}
}

func TestExplainOfAHugeEvaluationEndsAndSaysSo(t *testing.T) {
	p := policy(t, patient, `default decision := false

decision if {
	input.context.huge
	some x in numbers.range(1, 100000)
	some y in numbers.range(1, 100000)
	x + y < 0
}
`)
	out := p.Trace(t.Context(), question(`{"huge": true}`), Result{})
	if !strings.Contains(out.Incomplete, "500000 events") || len(out.Rules) == 0 {
		t.Errorf("incomplete %q, %d rules", out.Incomplete, len(out.Rules))
	}
}

func TestTraceEndsWithItsContext(t *testing.T) {
	p := policy(t, patient, "default decision := false\n\ndecision if input.request.method == \"PUT\"\n")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if out := p.Trace(over, question(""), Result{}); out.Incomplete == "" {
		t.Error("the explanation says that it is complete")
	}
}
