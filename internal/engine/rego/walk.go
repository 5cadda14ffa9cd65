package rego

import (
	"iter"

	"github.com/open-policy-agent/opa/v1/ast"
)

// VisitCalls visits the calls in the head and the body of rule, but not in its else.
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

// VisitRefs visits the references in the head and the body of rule, but not in its else, with the location of each.
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

// Metadata yields the annotations with a certain member of custom, and its value.
func Metadata(c *ast.Compiler, custom string) iter.Seq2[*ast.AnnotationsRef, any] {
	return func(yield func(*ast.AnnotationsRef, any) bool) {
		for _, found := range c.GetAnnotationSet().Flatten() {
			if value, ok := found.Annotations.Custom[custom]; ok && !yield(found, value) {
				return
			}
		}
	}
}

// WithTargets are the targets of "with" in x that begin with root: input or data.
func WithTargets(x any, root ast.Ref) []*ast.Term {
	var out []*ast.Term
	ast.WalkWiths(x, func(w *ast.With) bool {
		if ref, ok := w.Target.Value.(ast.Ref); ok && ref.HasPrefix(root) {
			out = append(out, w.Target)
		}
		return false
	})
	return out
}
