package rego

import (
	"iter"

	"github.com/open-policy-agent/opa/v1/ast"
)

// VisitCalls visits the calls in the head and the body of rule, but not in its else.
func VisitCalls(rule *ast.Rule, visit func(name ast.Ref, args []*ast.Term, at *ast.Location)) {
	Visit(rule, visit, func(*ast.Term, ast.Ref, *ast.Location) {})
}

// VisitRefs visits the references in the head and the body of rule, but not in its else, with the location of each.
func VisitRefs(rule *ast.Rule, visit func(t *ast.Term, ref ast.Ref, at *ast.Location)) {
	Visit(rule, func(ast.Ref, []*ast.Term, *ast.Location) {}, visit)
}

// Visit visits the calls and the references of a rule in one walk.
func Visit(
	rule *ast.Rule, call func(name ast.Ref, args []*ast.Term, at *ast.Location),
	reference func(t *ast.Term, ref ast.Ref, at *ast.Location),
) {
	at := rule.Location
	visitor := ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if x.Location != nil {
				at = x.Location
			}
			if x.IsCall() {
				call(x.Operator(), x.Operands(), x.Location)
			}
		case *ast.Term:
			switch v := x.Value.(type) {
			case ast.Call:
				if name, ok := v[0].Value.(ast.Ref); ok {
					call(name, v[1:], x.Location)
				}
			case ast.Ref:
				reference(x, v, locationOf(x, v, at))
			}
		}
		return false
	})
	visitor.Walk(rule.Head)
	visitor.Walk(rule.Body)
}

// locationOf is the location of a reference: its own, that of its first part, or else at.
func locationOf(t *ast.Term, ref ast.Ref, at *ast.Location) *ast.Location {
	switch {
	case t.Location != nil && t.Location.File != "":
		return t.Location
	case ref[0].Location != nil && ref[0].Location.File != "":
		return ref[0].Location
	}
	return at
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
