package engine

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

// list returns the terms of an array, or of a set in its order.
func list(v ast.Value) ([]*ast.Term, error) {
	switch v := v.(type) {
	case *ast.Array:
		out := make([]*ast.Term, 0, v.Len())
		v.Foreach(func(t *ast.Term) { out = append(out, t) })
		return out, nil
	case ast.Set:
		return v.Slice(), nil
	}
	return nil, fmt.Errorf("is %s, want an array or a set", article(v))
}

func text(v ast.Value) (string, error) {
	s, ok := v.(ast.String)
	switch {
	case !ok:
		return "", fmt.Errorf("is %s, want a string", article(v))
	case !utf8.ValidString(string(s)):
		return "", fmt.Errorf("is not UTF-8")
	}
	return string(s), nil
}

func texts(v ast.Value) ([]string, error) {
	terms, err := list(v)
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(terms))
	for _, t := range terms {
		s, err := text(t.Value)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// quotable refuses what a quoted string of RFC 6750 section 3 cannot hold: all but %x20-21, %x23-5B, %x5D-7E.
func quotable(s string, err error) (string, error) {
	for i := range len(s) {
		if c := s[i]; err == nil && (c < 0x20 || c > 0x7e || c == '"' || c == '\\') {
			err = fmt.Errorf("has a character that a challenge cannot hold")
		}
	}
	return s, err
}

// words reads a list whose members are joined by spaces in a challenge.
func words(v ast.Value) ([]string, error) {
	list, err := texts(v)
	for _, s := range list {
		if _, bad := quotable(s, nil); err == nil && (bad != nil || s == "" || strings.Contains(s, " ")) {
			err = fmt.Errorf("has an element that is not one word of a challenge")
		}
	}
	return list, err
}

func integer(v ast.Value) (int64, error) {
	n, ok := v.(ast.Number)
	if !ok {
		return 0, fmt.Errorf("is %s, want an integer", article(v))
	}
	i, err := strconv.ParseInt(string(n), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("is not an integer")
	}
	return i, nil
}

func memberOf(o ast.Object, name string) ast.Value {
	if t := o.Get(ast.InternedTerm(name)); t != nil {
		return t.Value
	}
	return nil
}

// article names the type of v the way a sentence needs it.
func article(v ast.Value) string {
	name := ast.ValueName(v)
	if strings.IndexByte("aeiou", name[0]) >= 0 {
		return "an " + name
	}
	return "a " + name
}
