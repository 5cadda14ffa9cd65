package term

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Detached is v in memory of its own: a text of it may be a part of a longer one, such as a URL, which it would keep.
func Detached(v ast.Value) ast.Value {
	switch v := v.(type) {
	case ast.String:
		return ast.String(strings.Clone(string(v)))
	case ast.Number:
		return ast.Number(strings.Clone(string(v)))
	case *ast.Array:
		out := make([]*ast.Term, 0, v.Len())
		v.Foreach(func(t *ast.Term) { out = append(out, ast.NewTerm(Detached(t.Value))) })
		return ast.NewArray(out...)
	case ast.Set:
		out := ast.NewSet()
		v.Foreach(func(t *ast.Term) { out.Add(ast.NewTerm(Detached(t.Value))) })
		return out
	case ast.Object:
		out := ast.NewObject()
		v.Foreach(func(key, value *ast.Term) {
			out.Insert(ast.NewTerm(Detached(key.Value)), ast.NewTerm(Detached(value.Value)))
		})
		return out
	}
	return v
}
