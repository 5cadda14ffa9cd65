package engine

import "testing"

// TestAnElementOfAListIsNotTakenForTheList: OPA's index takes x in "x in input.list" for another name of the list,
// where it knows no reference for x. What else a rule asks of x would be asked of the list, and the rule skipped.
func TestAnElementOfAListIsNotTakenForTheList(t *testing.T) {
	const computed = `x := lower(input.request.headers["x-role"][0]); `
	for _, rule := range []string{
		`reasons contains 1 if { ` + computed + `x in input.token.scopes; x == "a" }`,
		`reasons contains 1 if { ` + computed + `x in input.token.scopes; x in ["a", "b"] }`,
		`reasons contains 1 if { ` + computed + `x in input.token.scopes; data.d.names[x] }`,
		`reasons contains 1 if { ` + computed + `x in input.token.scopes; startswith(x, "a") }`,
		`reasons contains 1 if { ` + computed + `l := input.token.scopes; x in l; x == "a" }`,
		"reasons contains 1 if { x := role; x in input.token.scopes; x == \"a\" }\nrole := \"a\" if input.request.method",
		"reasons contains 1 if f(input.request.method)\nf(_) if { " + computed + `x in input.token.scopes; x == "a" }`,
		`reasons contains 1 if { some x in ["a", "b"]; x in input.token.scopes; x == "a" }`,
		`reasons contains 1 if { some x in data.d.names; x in input.token.scopes; x == "a" }`,
		`reasons contains 1 if { some x in data.d.items; x in input.context.items; x.a == 1 }`,
		`reasons contains 1 if { some x in data.d.items; x in input.context.items; x.a }`,
		`reasons contains 1 if { x := input.context.role; x in ["a", "b"]; x in input.token.scopes; x == "a" }`,
		`reasons contains 1 if { ` + computed + `x in input.token.scopes and x == "a" }`,
		`reasons contains 1 if { ` + computed + `{ x in input.token.scopes; x == "a" } or input.context.none }`,
		`reasons contains 1 if { ` + computed + `x in data.d.list; x == "a" }`,
	} {
		p, err := compiled(t, patient, map[string]string{"policies/a.rego": "package authz\n\n" +
			"import future.keywords.and\nimport future.keywords.or\n\ndecision := count(reasons) == 0\n" + rule + "\n",
			"policies/d/data.json": `{"names": {"a": "a"}, "list": ["a"], "items": [{"a": 1}, {"a": 2}]}`})
		if err != nil {
			t.Fatal(err)
		}
		for _, role := range []string{"A", "C"} {
			q := question(`{"items": [{"a": 1}], "role": "a"}`)
			q.Document.Request.Headers = map[string][]string{"x-role": {role}}
			q.Document.Token.Scopes = []string{"a", "c"}
			a, err := evaluated(t.Context(), p, q)
			b, second := unindexed(t, p, q)
			if err != nil || second != nil || a.Verdict.Allow != b.Verdict.Allow || role == "A" && a.Verdict.Allow {
				t.Errorf("%s for %s: %+v, %v; without the index %+v, %v", rule, role, a.Verdict, err, b.Verdict,
					second)
			}
		}
	}
}
