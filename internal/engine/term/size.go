package term

import "github.com/open-policy-agent/opa/v1/ast"

// What OPA allocates, besides the text of strings and numbers.
const (
	termBytes    = 40  // a term, and the text that it points to
	elementBytes = 16  // a place in an array
	memberBytes  = 112 // an element of an object or a set, its place among the keys, and in the hash map
	objectBytes  = 160
	arrayBytes   = 112
)

// Size estimates the memory that a value keeps in use, in bytes.
func Size(v ast.Value) int {
	n := termBytes
	switch v := v.(type) {
	case ast.String:
		n += len(v)
	case ast.Number:
		n += len(v)
	case *ast.Array:
		n += arrayBytes
		v.Foreach(func(t *ast.Term) { n += elementBytes + Size(t.Value) })
	case ast.Set:
		n += objectBytes
		v.Foreach(func(t *ast.Term) { n += memberBytes + Size(t.Value) })
	case ast.Object:
		n += objectBytes
		v.Foreach(func(k, t *ast.Term) { n += MemberSize(t.Value) + Size(k.Value) })
	}
	return n
}

// MemberSize estimates the memory of a member with the value v in an object, without its key, in bytes.
func MemberSize(v ast.Value) int { return memberBytes + Size(v) }
