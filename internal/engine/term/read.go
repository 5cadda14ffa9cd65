// Package term reads values of OPA: lists, texts and members of objects, their JSON form, their size, and their kinds
// by type.
package term

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

// List returns the elements of an array, or of a set in its order. Errors of this file describe the type and read as
// predicates: "is a number, want a string".
func List(v ast.Value) ([]*ast.Term, error) {
	switch v := v.(type) {
	case *ast.Array:
		out := make([]*ast.Term, 0, v.Len())
		v.Foreach(func(t *ast.Term) { out = append(out, t) })
		return out, nil
	case ast.Set:
		return v.Slice(), nil
	}
	return nil, fmt.Errorf("is %s, want an array or a set", Describe(v))
}

// Text returns a string, which must be UTF-8.
func Text(v ast.Value) (string, error) {
	s, ok := v.(ast.String)
	switch {
	case !ok:
		return "", fmt.Errorf("is %s, want a string", Describe(v))
	case !utf8.ValidString(string(s)):
		return "", fmt.Errorf("is not UTF-8")
	}
	return string(s), nil
}

// Texts returns the strings of an array or a set.
func Texts(v ast.Value) ([]string, error) {
	terms, err := List(v)
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(terms))
	for _, t := range terms {
		s, err := Text(t.Value)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// Integer returns a number without a fraction.
func Integer(v ast.Value) (int64, error) {
	n, ok := v.(ast.Number)
	if !ok {
		return 0, fmt.Errorf("is %s, want an integer", Describe(v))
	}
	i, err := strconv.ParseInt(string(n), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("is not an integer")
	}
	return i, nil
}

// Member returns the value of a member, or nil.
func Member(o ast.Object, name string) ast.Value {
	if t := o.Get(ast.InternedTerm(name)); t != nil {
		return t.Value
	}
	return nil
}

// Describe is the type of v with its article: "an object".
func Describe(v ast.Value) string {
	name := ast.ValueName(v)
	if strings.IndexByte("aeiou", name[0]) >= 0 {
		return "an " + name
	}
	return "a " + name
}

// MemberName is the name of a member of an object: the key, which must be a string.
func MemberName(k *ast.Term) (string, error) {
	name, ok := k.Value.(ast.String)
	if !ok {
		return "", fmt.Errorf("the name of a member is %s, want a string", Describe(k.Value))
	}
	return string(name), nil
}

// Boolean returns true or false.
func Boolean(v ast.Value) (bool, error) {
	b, ok := v.(ast.Boolean)
	if !ok {
		return false, fmt.Errorf("is %s, want a boolean", Describe(v))
	}
	return bool(b), nil
}
