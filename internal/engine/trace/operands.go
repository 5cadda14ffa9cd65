package trace

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// operand is a term of an expression at one moment.
type operand struct {
	text string
	term *ast.Term
}

// maxOperands bounds those of one expression.
const maxOperands = 6

// momentOf plugs what x is made of while the variables have their values: they are gone after the event.
func momentOf(f *frame, x *ast.Expr, e topdown.Event) *moment {
	m := &moment{expr: x, entered: slices.Clip(f.entered), input: e.Input(), times: 1}
	for _, t := range shownTerms(x) {
		if len(m.operands) < maxOperands {
			m.operands = append(m.operands, operand{textOf(t), e.Plug(t)})
		}
	}
	if f.rule != nil {
		for _, a := range f.rule.Head.Args {
			m.args = append(m.args, e.Plug(a))
		}
	}
	return m
}

// shownTerms are the terms of an expression whose values say why it holds or not, in the order of the text. The
// compiler takes an expression apart: count(deny) == 0 becomes a = deny; count(a, b); b = 0.
func shownTerms(x *ast.Expr) []*ast.Term {
	own := termsOf(x)
	if x.BaseCogeneratedExpr() != x && x.IsEquality() && len(own) > 0 {
		return own[len(own)-1:] // a reference, whose value goes into a variable of the same text
	}
	var out []*ast.Term
	for _, t := range own {
		if i := slices.IndexFunc(out, func(o *ast.Term) bool { return textOf(o) == textOf(t) }); i >= 0 {
			if isName(out[i]) { // made for the reference t, and unbound when that is undefined
				out[i] = t
			}
			continue
		}
		out = append(out, t)
		if v, ok := t.Value.(ast.Var); ok {
			out = appendArguments(out, x, v)
		}
	}
	return out
}

// appendArguments adds the arguments of the call whose result is v.
func appendArguments(out []*ast.Term, x *ast.Expr, v ast.Var) []*ast.Term {
	for _, part := range x.BaseCogeneratedExpr().CogeneratedExprs() {
		if part == x || !part.IsCall() || part.IsEquality() {
			continue
		}
		args := part.Operands()
		if last, ok := args[len(args)-1].Value.(ast.Var); !ok || last != v {
			continue
		}
		for _, t := range args[:len(args)-1] {
			if isShown(t) && !known(out, t) {
				out = append(out, t)
			}
		}
	}
	return out
}

func known(terms []*ast.Term, t *ast.Term) bool {
	return slices.ContainsFunc(terms, func(o *ast.Term) bool { return textOf(o) == textOf(t) })
}

// termsOf are the operands of an expression as the policy has them, without constants.
func termsOf(x *ast.Expr) []*ast.Term {
	var all []*ast.Term
	switch terms := x.Terms.(type) {
	case *ast.Term:
		all = []*ast.Term{terms}
	case []*ast.Term:
		all = x.Operands()
	case *ast.Every:
		all = []*ast.Term{terms.Domain}
	}
	return slices.DeleteFunc(slices.Clone(all), func(t *ast.Term) bool { return !isShown(t) })
}

// isShown reports whether the value of a term is not plain from its text.
func isShown(t *ast.Term) bool {
	if ast.IsConstant(t.Value) {
		return false
	}
	switch t.Value.(type) {
	case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension, ast.Call:
		return false
	}
	return true
}

// textOf is the text of a term in the policy.
func textOf(t *ast.Term) string {
	if t.Location != nil && len(t.Location.Text) > 0 {
		return string(t.Location.Text)
	}
	if ref, ok := t.Value.(ast.Ref); ok { // of "some x in list": list[_]
		if prefix := ref.GroundPrefix(); len(prefix) < len(ref) {
			if root := prefix[0]; root.Location != nil && len(root.Location.Text) > 0 {
				prefix = append(ast.Ref{ast.VarTerm(string(root.Location.Text))}, prefix[1:]...)
			}
			return prefix.String()
		}
	}
	return t.String()
}
