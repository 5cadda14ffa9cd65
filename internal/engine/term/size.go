package term

import "github.com/open-policy-agent/opa/v1/ast"

// termBytes is the memory of one term besides its text.
const termBytes = 96

// Size estimates the memory that a value keeps in use, in bytes.
func Size(v ast.Value) int {
	n := termBytes
	switch v := v.(type) {
	case ast.String:
		n += len(v)
	case ast.Number:
		n += len(v)
	case *ast.Array:
		v.Foreach(func(t *ast.Term) { n += Size(t.Value) })
	case ast.Set:
		v.Foreach(func(t *ast.Term) { n += Size(t.Value) })
	case ast.Object:
		v.Foreach(func(k, t *ast.Term) { n += Size(k.Value) + Size(t.Value) })
	}
	return n
}
