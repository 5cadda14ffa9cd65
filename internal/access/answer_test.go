package access_test

import (
	"strings"
	"testing"
)

// TestAnAnswerThatReadsTheInputIsReadAsWrittenOut as the conditions beside it do.
func TestAnAnswerThatReadsTheInputIsReadAsWrittenOut(t *testing.T) {
	const rules = `package authz

default decision := {"allow": false}

decision := ANSWER if input.request.method == "GET"
`
	const answer = `{"allow": true, "context": {"t": concat("", [input.token.tenant])}}`
	told := func(policy string) string {
		return text(t, requires(t, analyst(t, written(t, map[string]string{"p.rego": policy})), "GET /orders"), "")
	}
	want := told(strings.Replace(rules, "ANSWER", answer, 1))
	if got := told(strings.Replace(rules, "ANSWER", "admission", 1) + "\nadmission := " + answer + "\n"); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestAnAnswerThatIsImportedIsAnother than the rule of that name beside it.
func TestAnAnswerThatIsImportedIsAnother(t *testing.T) {
	for name, imported := range map[string]string{
		"admission": "data.other.admission", "answer": "data.other.answer as admission",
	} {
		a := analyst(t, written(t, map[string]string{"p.rego": `package authz

import ` + imported + `

default decision := {"allow": false}

decision := admission if input.request.method == "GET"

admission := {"allow": true}
`, "o.rego": "package other\n\n" + name + ` := {"allow": input.token.tenant == "acme"}
`}))
		if got := text(t, requires(t, a, "GET /orders"), ""); !strings.Contains(got, "tenant is acme") {
			t.Errorf("%s: %s", imported, got)
		}
	}
}

// TestAnAnswerThatIsARuleIsReadAsWrittenOut: how the other members of an answer are made is told in neither form, and
// the words of one form are those of the other. Rules with conditions, or that are several, are left as they are.
func TestAnAnswerThatIsARuleIsReadAsWrittenOut(t *testing.T) {
	const rules = `package authz

default decision := {"allow": false}

decision := ANSWER if {
	input.request.method == "GET"
	"orders" in input.token.scopes
}

default tenant := ""

tenant := input.token.tenant

default client := ""

client := input.token.client_id
`
	const answer = `{"allow": true, "upstream_headers": {"X-Tenant": tenant, "X-Client": client}}`
	told := func(policy string) string {
		return text(t, requires(t, analyst(t, written(t, map[string]string{"p.rego": policy})), "GET /orders"), "")
	}
	written := told(strings.Replace(rules, "ANSWER", answer, 1))
	if !strings.Contains(written, "scopes contains orders") || strings.Contains(written, "tenant") {
		t.Fatalf("written out: %s", written)
	}
	named := strings.Replace(rules, "ANSWER", "admission", 1)
	if got := told(named + "\nadmission := " + answer + "\n"); got != written {
		t.Errorf("a rule: %s, want %s", got, written)
	}
	for name, more := range map[string]string{
		"a rule with a condition": "\nadmission := " + answer + ` if input.token.client_id == "web"` + "\n",
		"two rules": "\nadmission := {\"allow\": true} if input.token.client_id == \"web\"\n" +
			"\nadmission := {\"allow\": false} if input.token.client_id != \"web\"\n",
	} {
		if got := told(named + more); !strings.Contains(got, "client is web") {
			t.Errorf("%s: %s", name, got)
		}
	}
	shadowed := strings.Replace(named, `input.request.method == "GET"`,
		`admission := {"allow": input.token.tenant == "acme"}`, 1)
	if got := told(shadowed + "\nadmission := {\"allow\": true}\n"); !strings.Contains(got, "acme") {
		t.Errorf("a variable of the same name: %s", got)
	}
}

// TestAVariableIsNotTheRuleThatAnAnswerNames: the body has a variable of its own, called as a rule of the answer.
func TestAVariableIsNotTheRuleThatAnAnswerNames(t *testing.T) {
	a := analyst(t, written(t, map[string]string{"p.rego": `package authz

default decision := {"allow": false}

decision := admission if {
	permitted := input.request.method == "GET"
	permitted
}

admission := {"allow": permitted}

permitted := input.token.tenant == "acme"
`}))
	if got := text(t, requires(t, a, "GET /orders"), ""); !strings.Contains(got, "tenant is acme") {
		t.Errorf("%s", got)
	}
}
