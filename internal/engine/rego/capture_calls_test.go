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
		`contains(input.context.name, "x")`:                                              false,
		`endswith(input.token.claims.email, "x")`:                                        false,
		`startswith(input.token.claims[_], "x")`:                                         false,
		`startswith(input.request.segments[0], "x")`:                                     true,
		`startswith(input.request.headers.a[0], "x")`:                                    false,
		`startswith(input.subject.id, input.action.properties.p)`:                        true,
		`{ p = input.request.path; p = input.context.p; startswith(p, "x") }`:            false,
		`{ startswith(input.request.path, "x"); true with input.request.path as 5 }`:     false,
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
		left := false
		ast.WalkExprs(c.Modules["p.rego"], func(x *ast.Expr) bool {
			left = left || capturable(x)
			return false
		})
		if left != want {
			t.Errorf("%s: %v, want %v", rule, left, want)
		}
	}
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
