package access_test

import (
	"strings"
	"testing"
)

// What is told for a request that is decided by two rules, by functions, and by data.
func TestWaysOfPoliciesThatMayFailToDecide(t *testing.T) {
	tests := map[string]struct{ policy, want string }{
		"two values of a decision are an error": {`default decision := false

decision := true if "a" in input.token.scopes

decision := false if "b" in input.token.scopes
`, `
  scopes contains a
and not where scopes contains b (p.rego:7)
`},
		"a rule beside an else chain": {`decision := {"allow": false} if {
	not "a" in input.token.scopes
} else := {"allow": true} if {
	"b" in input.token.roles
} else := {"allow": false}

decision := {"allow": false, "reasons": ["blocked"]} if input.token.client_id == "evil"
`, `
  scopes contains a
  roles contains b
and not for client evil (p.rego:9)
`},
		"a default function has no value without its argument": {`default decision := false

decision if limit(input.token.client_id) > 3

default limit(_) := 5

limit(client) := 1 if client == "low"
`, `
  client is given
and not for client low
`},
		"the presence of a comparison is that of its arguments": {`default decision := false

decision := granted(input)

granted(i) := r if r := "a" in i.token.scopes
`, `
  scopes contains a
`},
		"data is no rule to look up": {`default decision := false

decision if count([1 | some r in input.token.roles; r in data.ok]) > 1
`, `
  the condition count([1 | x1 = input.token.roles[_]; x2 = data.ok; x1 in x2]) > 1 (p.rego:5) (not verified)
`},
		"a variable gets its value by one equals sign": {`default decision := false

decision if {
	some r in (({r | some r in input.token.roles} | {g | some g in input.token.groups}) - {"x"})
	r == "z"
}
`, `
  the condition x1 = {x2 | x2 = input.token.groups[_]}; ` +
			`"z" == minus(or({x3 | x3 = input.token.roles[_]}, x1), {"x"})[_] (p.rego:6)
`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := written(t, map[string]string{
				"p.rego": "package authz\n\n" + test.policy, "ok/data.yaml": "[x, y]\n",
			})
			got := text(t, requires(t, analyst(t, cfg), "GET /orders"), cfg.Policies.Paths[0])
			_, got, _ = strings.Cut(got, "\n")
			got, _, _ = strings.Cut("\n"+got, "\nthe ") // what stands below the ways
			if got+"\n" != test.want {
				t.Errorf("got:%s\nwant:%s", got, test.want)
			}
		})
	}
}
