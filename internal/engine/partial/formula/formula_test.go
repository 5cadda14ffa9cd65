package formula

import (
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

// residual is what partial evaluation could leave: queries, and a support module.
func residual(t *testing.T, support string, queries ...string) *Formula {
	t.Helper()
	m, err := ast.ParseModuleWithOpts("s.rego", support, ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		t.Fatal(err)
	}
	var bodies []ast.Body
	for _, q := range queries {
		bodies = append(bodies, ast.MustParseBodyWithOpts(q, ast.ParserOptions{RegoVersion: ast.RegoV1}))
	}
	return Of(bodies, []*ast.Module{m})
}

const support = `package partial

negated if input.a == 1

negated if input.b == 2

deny contains "x" if input.c == 3
`

func TestSupportRulesArePutInTheirPlaces(t *testing.T) {
	for query, want := range map[string]string{
		"input.x == 0; not data.partial.negated": "and(0 = input.x ; not(1 = input.a) ; " +
			"not(2 = input.b))",
		"count(data.partial.deny) == 0":               "not(3 = input.c)",
		"not count(data.partial.deny) == 0":           "3 = input.c",
		"data.partial.negated":                        "or(1 = input.a ; 2 = input.b)",
		"true":                                        "and()",
		"false":                                       "or()",
		`["a"] = [input.x]`:                           `"a" = input.x`,
		`["a", "b"] = [input.x]`:                      "or()",
		"x = input.x; x > 3":                          "gt(input.x, 3)",
		"minus(10, input.x, y); y <= 3":               "lte(minus(10, input.x), 3)",
		"x = input.list[_]; not x in [1]":             "v0 = input.list[v1]; not internal.member_2(v0, [1])",
		`startswith(input.x, "a", true)`:              `startswith(input.x, "a")`,
		`input.x != "sidecar: no value"; input.x > 3`: `and(gt(input.x, 3) ; neq(input.x, "sidecar: no value"))`,
	} {
		if got := residual(t, support, query).Text(); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
}

func TestAlternativesLeaveOutWhatOthersImply(t *testing.T) {
	for _, c := range []struct {
		queries []string
		want    int
		terms   int
	}{
		{[]string{"input.a == 1", "input.a == 1; input.b == 2"}, 1, 1},     // the second asks for more
		{[]string{"input.a == 1", "not input.a == 1; input.b == 2"}, 2, 2}, // b alone is enough
		{[]string{"input.a == 1; not input.a == 1"}, 0, 0},                 // contradicts itself
		{[]string{"input.a == 1", "not input.a == 1"}, 1, 0},               // always
		{nil, 0, 0},
	} {
		ways := Alternatives(residual(t, support, c.queries...))
		terms := 0
		for _, w := range ways {
			terms += len(w)
		}
		if len(ways) != c.want || terms != c.terms {
			t.Errorf("%q: %d ways with %d terms, want %d with %d", c.queries, len(ways), terms, c.want, c.terms)
		}
	}
}

func TestTooManyAlternativesBecomeAChoice(t *testing.T) {
	f := All()
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		f = All(f, residual(t, support, "input."+name+" == 1", "input."+name+" == 2"))
	}
	ways := Alternatives(f)
	if len(ways) > maxAlternatives || len(ways) == 0 {
		t.Fatalf("%d ways", len(ways))
	}
	choices := 0
	for _, term := range ways[0] {
		if term.Literal == nil {
			choices++
		}
	}
	if choices == 0 {
		t.Errorf("no choice in %v", ways[0])
	}
}
