package rego

import (
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

func TestTheIndexAnswersOnlyCallsOnOperandsThatAreAlwaysStrings(t *testing.T) {
	for rule, want := range map[string]bool{
		`startswith(input.request.path, "/x")`:                                           true,
		`startswith(input.token.tenant, "x")`:                                            true,
		`strings.any_suffix_match(input.request.path, ["/x"])`:                           true,
		`{ p := input.request.path; q := p; endswith(q, "x") }`:                          true,
		`glob.match("/x/*", ["/"], input.request.path)`:                                  false,
		`startswith(data.x, "x")`:                                                        false,
		`startswith(data.request.path, "x")`:                                             false,
		`startswith(lower(input.request.path), "x")`:                                     false,
		`startswith(input.token.subject[input.request.method], "x")`:                     false,
		`contains(input.context.name, "x")`:                                              false,
		`endswith(input.token.claims.email, "x")`:                                        false,
		`startswith(input.token.claims[_], "x")`:                                         false,
		`startswith(input.request.segments[0], "x")`:                                     true,
		`startswith(input.request.headers.a[0], "x")`:                                    true,
		`startswith(input.subject.id, input.action.properties.p)`:                        true,
		`{ p = input.request.path; p = input.context.p; startswith(p, "x") }`:            false,
		`{ startswith(input.request.path, "x"); true with input.request.path as 5 }`:     true,
		`{ startswith(input.request.path, "x"); true with input.request.method as "A" }`: true,
	} {
		if !strings.HasPrefix(rule, "{") {
			rule = "{ " + rule + " }"
		}
		c := NewCompiler(Options{}, nil)
		c.Compile(parsedModule(t, "package authz\n\ndenied if "+rule+"\n"))
		if c.Failed() {
			t.Fatal(c.Errors)
		}
		if left := leftToTheIndex(c); left != want {
			t.Errorf("%s: %v, want %v", rule, left, want)
		}
	}
}

// TestAWithTakesTheIndexOnlyFromRulesThatItMayGiveAnotherType compiles a rule on input.request.path beside others.
func TestAWithTakesTheIndexOnlyFromRulesThatItMayGiveAnotherType(t *testing.T) {
	for others, want := range map[string]bool{
		`a if b with input.request.path as 5`:                                                              true,
		`a if denied with input.request.path as "/y"`:                                                      true,
		`a if denied with input.request as {"path": "/y"}`:                                                 true,
		`a if denied with input as {"request": {"path": "/y"}}`:                                            true,
		`a if denied with input as {}`:                                                                     true,
		`a if denied with input as "/y"`:                                                                   true,
		`a if denied with input.request.method as 5`:                                                       true,
		`a if denied with input.request.path as 5`:                                                         false,
		`a if denied with input.request.path as "/y" with input.request.path.a as 5`:                       false,
		`a if denied with input.request.path.a as "/y"`:                                                    false,
		`a if denied with input.request as {"path": ["/y"]}`:                                               false,
		`a if denied with input.request as {"path": null}`:                                                 false,
		`a if denied with input.request.path as input.request.raw_path`:                                    false,
		`a if denied with input as input.context`:                                                          false,
		`a if denied with input as {"request": {"path": input.context.p}}`:                                 false,
		`a if c with input.request.path as 5` + "\nc if denied":                                            false,
		`a if c with input.request.path as 5` + "\nc if b\nelse if denied":                                 false,
		`a if data.lib[_] with input.request.path as 5`:                                                    false,
		`a if data.lib[input.request.method] with input.request.path as 5`:                                 false,
		`a if { count([1 | denied]) == 1 with input.request.path as 5 }`:                                   false,
		`a if { some x in [1]; every y in [x] { y == 1; denied } with input.request.path as 5 }`:           false,
		`a if c with data.authz.f as g` + "\ng(_) if denied\nf(1)\nc if f(1) with input.request.path as 5": false,
		`a if c with count as g` + "\ng(_) if denied\nc if count([1]) with input.request.path as 5":        false,
	} {
		modules := parsedModule(t, "package lib\n\ndenied if startswith(input.request.path, \"/x\")\nb := 1\n")
		modules["a.rego"] = parsedModule(t, "package authz\n\nimport data.lib.b\nimport data.lib.denied\n"+
			others+"\n")["p.rego"]
		c := newCompiler(Options{}, InputSchemaOf(nil), Lenient)
		if c.Compile(modules); c.Failed() {
			t.Fatal(c.Errors)
		}
		if left := leftToTheIndex(c); left != want {
			t.Errorf("%s: %v, want %v", others, left, want)
		}
	}
}

// TestAWithMayGiveAnotherTypeToWhatAVariableNames: a part that is replaced may be the one that a variable names.
func TestAWithMayGiveAnotherTypeToWhatAVariableNames(t *testing.T) {
	const scope, header = `startswith(input.token.scopes[_], "x")`, `startswith(input.request.headers[input.context.n][0], "x")`
	for with, rule := range map[string]string{
		`input.token.scopes as [5]`:           scope,
		`input.token as {"scopes": [5]}`:      scope,
		`input.token.scopes[0] as 5`:          scope,
		`input.request.headers.a as [5]`:      header,
		`input.request.headers.a[0] as 5`:     header,
		`input.request.headers as {"a": [5]}`: header,
	} {
		for others, want := range map[string]bool{"a if denied with " + with: false, "a if denied": true} {
			c := newCompiler(Options{}, InputSchemaOf(nil), Lenient)
			c.Compile(parsedModule(t, "package authz\n\ndenied if "+rule+"\n\n"+others+"\n"))
			if c.Failed() {
				t.Fatal(c.Errors)
			}
			if left := leftToTheIndex(c); left != want {
				t.Errorf("%s with %s: %v, want %v", rule, others, left, want)
			}
		}
	}
}

func TestATypeOfAllOtherMembersIsNotThatOfAVariable(t *testing.T) {
	schema := map[string]any{"type": "object", "properties": map[string]any{"n": map[string]any{"type": "number"}},
		"additionalProperties": map[string]any{"type": "string"}}
	for ref, want := range map[string]bool{"input.n": false, "input.a": true, "input[x]": false, "data.a": false} {
		if got := isString(schema, ast.MustParseRef(ref)); got != want {
			t.Errorf("%s is a string: %t, want %t", ref, got, want)
		}
	}
}

// TestRulesThatAMaskEvaluatesHaveNoTypes has a mask use a rule of another package, with an event as its input.
func TestRulesThatAMaskEvaluatesHaveNoTypes(t *testing.T) {
	for mask, want := range map[string]bool{
		`mask contains "/x" if data.authz.denied`: false,
		`mask contains "/x" if data.authz.c`:      false,
		`mask contains "/x" if data.authz.d`:      true,
	} {
		modules := parsedModule(t, "package authz\n\ndenied if startswith(input.request.path, \"/x\")\n"+
			"c if denied\nd := 1\n")
		modules["m.rego"] = parsedModule(t, "package system.log\n\n"+mask+"\n")["p.rego"]
		c := NewCompiler(Options{}, modules)
		if c.Compile(modules); c.Failed() {
			t.Fatal(c.Errors)
		}
		if left := leftToTheIndex(c); left != want {
			t.Errorf("%s: %v, want %v", mask, left, want)
		}
	}
}

// TestAWithBesideAnyPackageReachesHiddenOnes has a rule in a package that OPA's graph of rules leaves out.
func TestAWithBesideAnyPackageReachesHiddenOnes(t *testing.T) {
	for others, want := range map[string]bool{
		`a if data[input.request.method].denied with input.request.path as 5`: false,
		`a if data[input.request.method].denied`:                              true,
		`a if data.lib[_] with input.request.path as 5`:                       true,
	} {
		modules := parsedModule(t, "package system\n\ndenied if startswith(input.request.path, \"/x\")\n")
		modules["a.rego"] = parsedModule(t, "package authz\n\n"+others+"\n")["p.rego"]
		modules["l.rego"] = parsedModule(t, "package lib\n\nb := 1\n")["p.rego"]
		c := newCompiler(Options{}, InputSchemaOf(nil), Lenient)
		if c.Compile(modules); c.Failed() {
			t.Fatal(c.Errors)
		}
		if left := leftToTheIndex(c); left != want {
			t.Errorf("%s: %v, want %v", others, left, want)
		}
	}
}

// leftToTheIndex reports whether a call in p.rego is not captured.
func leftToTheIndex(c *ast.Compiler) (left bool) {
	ast.WalkExprs(c.Modules["p.rego"], func(x *ast.Expr) bool {
		left = left || capturable(x)
		return false
	})
	return left
}

// parsedModule is one module, ready to be compiled.
func parsedModule(t *testing.T, rego string) map[string]*ast.Module {
	t.Helper()
	m, err := ast.ParseModuleWithOpts("p.rego", rego, ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*ast.Module{"p.rego": m}
}
