package partial

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/partial/formula"
)

// Rego evaluates the arguments of a call before it: "not f(input.x)" is undefined where input.x is absent, even if f
// holds for nothing. Partial evaluation puts the body of f in place, and what is left would hold there. So each
// argument that may be undefined is compared beforehand with a text that it never is.

// withPresence makes the presence of arguments explicit in the rules of a module.
func withPresence(m *ast.Module) {
	for _, r := range m.Rules {
		for b := r; b != nil; b = b.Else {
			var body ast.Body
			for _, x := range b.Body {
				body = append(body, presences(x)...)
				body = append(body, x)
			}
			body = append(body, argumentsOf(b.Head.Value, b.Location, nil)...)
			b.Body = numbered(body)
		}
	}
}

// presences are the expressions which hold where the arguments of x are there.
func presences(x *ast.Expr) (out ast.Body) {
	terms, ok := x.Terms.([]*ast.Term)
	if !ok {
		if t, isTerm := x.Terms.(*ast.Term); isTerm && x.Negated {
			if call, isCall := t.Value.(ast.Call); isCall {
				terms, ok = call, true
			}
		}
	}
	if !ok || len(terms) == 0 {
		return nil
	}
	isBuiltin := ast.BuiltinMap[terms[0].String()] != nil
	if isBuiltin && !x.Negated {
		for _, arg := range terms[1:] {
			out = append(out, argumentsOf(arg, x.Location, x.With)...)
		}
		return out
	}
	plain := terms[0].String() == ast.Equality.Name || terms[0].String() == ast.Equal.Name
	for _, arg := range terms[1:] {
		// "not input.x == 1" holds where input.x is absent, but a variable has a value, or the body fails.
		if _, isRef := arg.Value.(ast.Ref); isRef && plain {
			continue
		}
		for _, t := range operands(arg) {
			p := ast.NotEqual.Expr(t.Copy(), ast.StringTerm(formula.Absent))
			p.Location, p.With = x.Location, x.With
			out = append(out, p)
		}
	}
	return out
}

// argumentsOf are the presences of what is handed to functions of the policy within a term: a function whose default
// applies, or that ignores an argument, has no value without it either.
func argumentsOf(t *ast.Term, at *ast.Location, with []*ast.With) (out ast.Body) {
	visit := func(inner *ast.Term) bool {
		switch v := inner.Value.(type) {
		case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
			return true
		case ast.Call:
			if ast.BuiltinMap[v[0].String()] != nil {
				return false
			}
			for _, o := range operands(inner) {
				p := ast.NotEqual.Expr(o.Copy(), ast.StringTerm(formula.Absent))
				p.Location, p.With = at, with
				out = append(out, p)
			}
		}
		return false
	}
	if t != nil {
		ast.WalkTerms(t, visit)
	}
	return out
}

// operands are the references and variables in a term, outside of closures.
func operands(t *ast.Term) (out []*ast.Term) {
	switch v := t.Value.(type) {
	case ast.Var:
		if !v.IsWildcard() {
			out = append(out, t)
		}
	case ast.Ref:
		if v.IsGround() || !hasWildcard(v) {
			out = append(out, t)
		}
	case ast.Call:
		for _, arg := range v[1:] {
			out = append(out, operands(arg)...)
		}
	case *ast.Array:
		v.Foreach(func(e *ast.Term) { out = append(out, operands(e)...) })
	case ast.Object:
		v.Foreach(func(_, e *ast.Term) { out = append(out, operands(e)...) })
	}
	return out
}

func hasWildcard(ref ast.Ref) bool {
	for _, t := range ref {
		if v, ok := t.Value.(ast.Var); ok && v.IsWildcard() {
			return true
		}
	}
	return false
}
