package engine

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// maxKeptCalls is how many calls with a token have a value that is kept. The arguments of others may differ with each
// request, and each call that is kept costs every evaluation a little.
const maxKeptCalls = 8

// keptCall is the value of a function for its arguments. The reference is that of OPA's cache: the operator, and then
// the arguments.
type keptCall struct {
	ref   ast.Ref
	value *ast.Term
}

// foundCalls returns known with the values of calls among those that an evaluation found, and whether there are any.
func foundCalls(found []cached, operators []*ast.Term, known []keptCall) (all []keptCall, more bool) {
	for _, v := range found {
		if v.undefined || len(known) == maxKeptCalls || !slices.Contains(operators, v.ref[0]) || !keepableCall(v) {
			continue
		}
		call := keptCall{ast.Ref{v.ref[0]}, ast.NewTerm(term.Detached(v.value.Value))}
		for _, arg := range v.ref[1:] {
			call.ref = append(call.ref, ast.NewTerm(term.Detached(arg.Value)))
		}
		known, more = append(slices.Clip(known), call), true
	}
	return known, more
}

// keepableCall reports whether the arguments of a call tell it apart from all others, and are small with its value.
// Numbers that are equal may be written in several ways, which a function can see.
func keepableCall(v cached) bool {
	size, exact := term.Size(v.value.Value), true
	for _, arg := range v.ref[1:] {
		if size += term.Size(arg.Value); size > maxKeptValue {
			return false
		}
		ast.WalkTerms(arg, func(t *ast.Term) bool {
			switch t.Value.(type) {
			case ast.Null, ast.Boolean, ast.String, *ast.Array, ast.Set, ast.Object:
			default:
				exact = false
			}
			return !exact
		})
	}
	return exact && size <= maxKeptValue
}
