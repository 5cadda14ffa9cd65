package check

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// alwaysTrueProblems finds unifications with a variable that the rule names nowhere else. "input.request.method =
// GET", without quotes, assigns the method to a variable GET and is true for each request with a method. OPA reports
// an unused variable only with :=.
func (p *Program) alwaysTrueProblems() bundle.Problems {
	var out bundle.Problems
	named := map[ast.Var]int{}
	for _, s := range p.scopes {
		countNames(named, s.rule)
		ast.WalkExprs(s.rule.Body, func(x *ast.Expr) bool {
			if !x.IsEquality() {
				return false
			}
			for _, operand := range x.Operands() {
				v, ok := operand.Value.(ast.Var)
				if ok && named[v] == 1 && !v.IsWildcard() && !v.IsGenerated() {
					out = append(out, rego.ProblemAt(x.Location, ast.CompileErr,
						"%s gives the variable %s a value and compares nothing, for the rule names it nowhere else; "+
							"was the text %q meant?",
						x.Location.Text, v, string(v)))
				}
			}
			return false
		})
	}
	return out.Sorted()
}

// countNames sets named to how often a rule names each variable.
func countNames(named map[ast.Var]int, r *ast.Rule) {
	clear(named)
	count := func(v ast.Var) bool {
		named[v]++
		return false
	}
	ast.WalkVars(r.Head, count)
	ast.WalkVars(r.Body, count)
}
