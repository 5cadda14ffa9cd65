package rego

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// ErasePrints takes the calls of print out of compiled modules, and returns how many there were. They are compiled
// first, so that a policy has the same problems whether it prints or not.
func ErasePrints(c *ast.Compiler) int {
	erased, print := 0, ast.InternalPrint.Ref()
	isPrint := func(x *ast.Expr) bool { return x.IsCall() && x.Operator().Equal(print) }
	kept := func(body ast.Body) ast.Body {
		if !slices.ContainsFunc(body, isPrint) {
			return body
		}
		out := slices.DeleteFunc(slices.Clone(body), isPrint)
		erased += len(body) - len(out)
		if len(out) == 0 {
			out = ast.NewBody(ast.NewExpr(ast.BooleanTerm(true)))
		}
		for i, x := range out {
			x.Index = i
		}
		return out
	}
	for _, m := range c.Modules {
		visitor := ast.NewGenericVisitor(func(x any) bool {
			switch x := x.(type) {
			case *ast.Rule:
				x.Body = kept(x.Body)
			case *ast.ArrayComprehension:
				x.Body = kept(x.Body)
			case *ast.SetComprehension:
				x.Body = kept(x.Body)
			case *ast.ObjectComprehension:
				x.Body = kept(x.Body)
			case *ast.Every:
				x.Body = kept(x.Body)
			case *ast.Not:
				x.Body = kept(x.Body)
			}
			return false
		})
		visitor.Walk(m)
	}
	return erased
}
