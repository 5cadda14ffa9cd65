package formula

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Absent is a text that no value is: "x != Absent" holds where x has a value.
const Absent = "sidecar: no value"

// Presence is the term whose presence an expression asks for, or nil.
func Presence(x *ast.Expr) *ast.Term {
	terms, ok := x.Terms.([]*ast.Term)
	if !ok || x.Negated || len(x.With) > 0 || len(terms) != 3 || terms[0].String() != ast.NotEqual.Name ||
		!terms[2].Equal(ast.StringTerm(Absent)) {
		return nil
	}
	return terms[1]
}

// presencesIn asks, in place of the presence of a comparison or a sum, for those of its arguments: it has a value
// where they have one. It is nil for other terms, and for arguments with variables of their own.
func presencesIn(t *ast.Term) (out ast.Body) {
	call, ok := t.Value.(ast.Call)
	if !ok || len(Locals(t)) > 0 {
		return nil
	}
	b := ast.BuiltinMap[call[0].String()]
	if b == nil || b.Infix == "" && b.Name != ast.Member.Name {
		return nil
	}
	for _, arg := range call[1:] {
		x := ast.NotEqual.Expr(arg.Copy(), ast.StringTerm(Absent))
		x.Location = t.Location
		out.Append(x)
	}
	return out
}

// withoutPresences leaves out the expressions that ask for the presence of what another expression of the group reads
// anyway.
func withoutPresences(body ast.Body) ast.Body {
	if len(body) < 2 {
		return body
	}
	out := slices.DeleteFunc(slices.Clone(body), func(x *ast.Expr) bool {
		t := Presence(x)
		return t != nil && slices.ContainsFunc(body, func(other *ast.Expr) bool {
			return other != x && !other.Negated && len(other.With) == 0 && Presence(other) == nil && reads(other, t)
		})
	})
	for i := range out {
		out[i].Index = i
	}
	return out
}

// reads reports whether an expression has a term in it, outside of closures.
func reads(x *ast.Expr, t *ast.Term) bool {
	if HasClosure(x) {
		return false
	}
	found := false
	ast.WalkTerms(x, func(inner *ast.Term) bool {
		found = found || inner.Equal(t)
		return found
	})
	return found
}
