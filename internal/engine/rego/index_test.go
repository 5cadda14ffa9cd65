package rego

import (
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

func TestOnlyIndexesThatTellNothingAreSkipped(t *testing.T) {
	for name, c := range map[string]struct {
		rules   string
		skipped bool
	}{
		"one rule of comparisons": {`r if { input.a == "x"; "s" in input.b; input.c.d[0] == input.e }`, true},
		"one rule with a default": {"default r := 2\nr := 1 if input.a == \"x\"", true},
		"a set of one rule":       {`r contains input.a if input.b == 1`, true},
		"a function of comparisons": {
			`r({"h": name}) if { input.a[name] == [input.b]; input.b != "" }`, true},
		"a rule that goes on with what may fail": {`r if { input.a == "x"; double(input.a); not other }`, true},
		"rules that need something to be there":  {"r if { input.a; not other }\nr if { input.b; not other }", true},
		"rules about no input":                   {"r if other\nr if data.b\nr if data.c", false},
		"rules about rules":                      {"r if other\nr if { not other }", true},
		"an else that is told apart by a value":  {"r := 1 if input.a == 1\nelse := 2 if input.a == 2", false},
		"rules that are told apart by a value":   {"r if input.a == 1\nr if input.a == 2", false},
		"rules that are told apart by an array":  {"r if input.a == [1, 2]\nr if input.a = [_]", false},
		"rules that are told apart by a prefix":  {`r if startswith(input.a, "x")`, false},
		"many rules":                             {"r if input.a\nr if input.b\nr if input.c\nr if input.d\nr if input.e", false},
		"a call before a comparison":             {`r if { to_number(input.b) > 1; input.a == "x" }`, false},
		"a rule before a comparison":             {`r if { other; input.a == "x" }`, false},
		"a function before a comparison":         {`r if { double(input.b); input.a == "x" }`, false},
		"data before a comparison":               {`r if { data.b.c; input.a == "x" }`, false},
		"a search before a comparison":           {`r if { some g in input.groups; g != "y"; input.a == "x" }`, false},
		"with before a comparison":               {`r if { other with input as input.b; input.a == "x" }`, false},
		"a comprehension before a comparison":    {`r if { input.b == [x | some x in input.c]; input.a == "x" }`, false},
		"a set before a comparison":              {`r if { input.b == {f | some f in input.c}; input.a == "x" }`, false},
	} {
		t.Run(name, func(t *testing.T) {
			module := ast.MustParseModule("package p\n\nother if input.o == 1\n\nother if input.o == 2\n\n" +
				"double(x) if to_number(x) == 1\n\n" + c.rules)
			compiler := ast.NewCompiler()
			if compiler.Compile(map[string]*ast.Module{"p.rego": module}); compiler.Failed() {
				t.Fatal(compiler.Errors)
			}
			SkipIndexes(compiler)
			_, skipped := compiler.RuleIndex(ast.MustParseRef("data.p.r")).(*allRules)
			if skipped != c.skipped {
				t.Errorf("skipped: %v", skipped)
			}
		})
	}
}

// TestIndexesThatMayBeMistakenAreDropped: where calls are captured, few are.
func TestIndexesThatMayBeMistakenAreDropped(t *testing.T) {
	for rule, want := range map[string]struct{ uncaptured, captured bool }{
		`r if input.request.method == "GET"`:                                           {false, false},
		`r if startswith(input.request.path, "/a")`:                                    {false, false},
		`r if startswith(input.token.claims.v, "/a")`:                                  {true, false},
		`r if glob.match("/a/*", ["/"], input.request.path)`:                           {true, false},
		`r if { startswith(input.token.claims.v, "/a") or input.token.active }`:        {true, false},
		`r := 1 if input.token.active else := 2 if endswith(input.token.claims.v, "")`: {true, false},
		`r if { x := lower(input.request.method); x in input.token.roles; x == "a" }`:  {true, false},
		`r if { some x in input.token.roles; x in ["a", "b"] }`:                        {false, false},
		`r if data.n[input.request.method]`:                                            {false, false},
		`r if data.n[input.context.v]`:                                                 {true, false},
		`r if { x := input.request.segments[0]; data.n[x] }`:                           {false, false},
		`r if { some x in data.l; x == 1.0; data.n[x] }`:                               {true, true},
		`r if { some x in data.l; x in [1, 2]; input.context[x] }`:                     {true, true},
		`r if { some x in data.l; x == "a"; input.context[x]; count(data.l) == 1 }`:    {false, false},
	} {
		modules := func() map[string]*ast.Module {
			m := ast.MustParseModule("package p\n\nimport future.keywords.or\n\n" + rule)
			return map[string]*ast.Module{"p.rego": m}
		}
		dropped := func(c *ast.Compiler) bool {
			if c.Compile(modules()); c.Failed() {
				t.Fatal(rule, c.Errors)
			}
			_, ok := c.RuleIndex(ast.MustParseRef("data.p.r")).(*allRules)
			return ok
		}
		if got := dropped(NewUntypedCompiler(Options{})); got != want.uncaptured {
			t.Errorf("%s, uncaptured: dropped is %v", rule, got)
		}
		if got := dropped(NewCompiler(Options{}, modules())); got != want.captured {
			t.Errorf("%s, captured: dropped is %v", rule, got)
		}
	}
}
