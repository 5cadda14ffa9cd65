package rego

import "github.com/open-policy-agent/opa/v1/ast"

// VisitCalls visits the calls in the head and the body of rule, without those of its else.
func VisitCalls(rule *ast.Rule, visit func(name ast.Ref, args []*ast.Term, at *ast.Location)) {
	see := func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if x.IsCall() {
				visit(x.Operator(), x.Operands(), x.Location)
			}
		case *ast.Term:
			if c, ok := x.Value.(ast.Call); ok {
				if name, ok := c[0].Value.(ast.Ref); ok {
					visit(name, c[1:], x.Location)
				}
			}
		}
		return false
	}
	visitor := ast.NewGenericVisitor(see)
	visitor.Walk(rule.Head)
	visitor.Walk(rule.Body)
}

// VisitRefs visits the references in the head and the body of rule, without those of its else, each with its place.
func VisitRefs(rule *ast.Rule, visit func(t *ast.Term, ref ast.Ref, at *ast.Location)) {
	at := rule.Location
	visitor := ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if x.Location != nil {
				at = x.Location
			}
		case *ast.Term:
			ref, ok := x.Value.(ast.Ref)
			if !ok {
				return false
			}
			switch {
			case x.Location != nil && x.Location.File != "":
				visit(x, ref, x.Location)
			case ref[0].Location != nil && ref[0].Location.File != "":
				visit(x, ref, ref[0].Location)
			default:
				visit(x, ref, at)
			}
		}
		return false
	})
	visitor.Walk(rule.Head)
	visitor.Walk(rule.Body)
}
