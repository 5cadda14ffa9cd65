package rego

import (
	"fmt"
	"reflect"
	"unsafe"

	"github.com/open-policy-agent/opa/v1/ast"
)

// terms makes terms of data. Equal texts become one term, and a value that is at several places becomes one. They are
// shared, and must not be written.
type terms struct {
	texts map[string]*ast.Term
	made  map[place]*ast.Term
}

// place is where an object or an array is in memory, and how many members it has.
type place struct {
	at      unsafe.Pointer
	members int
}

const maxTexts = 1 << 14 // that are remembered; then others begin anew

func newTerms() *terms {
	return &terms{texts: map[string]*ast.Term{}, made: map[place]*ast.Term{}}
}

// of returns the term of a value in the types of bundle.DataFile.
func (c *terms) of(v any) (*ast.Term, error) {
	switch v := v.(type) {
	case string:
		return c.text(v), nil
	case map[string]any:
		at := place{reflect.ValueOf(v).UnsafePointer(), len(v)}
		return c.once(at, func() (*ast.Term, error) { return c.object(v) })
	case []any:
		at := place{unsafe.Pointer(unsafe.SliceData(v)), len(v)}
		return c.once(at, func() (*ast.Term, error) { return c.array(v) })
	case bool:
		return ast.InternedTerm(v), nil
	case nil:
		return ast.InternedNullTerm, nil
	}
	value, err := ast.InterfaceToValue(v)
	return ast.NewTerm(value), err
}

func (c *terms) text(s string) *ast.Term {
	if t := c.texts[s]; t != nil {
		return t
	}
	if len(c.texts) >= maxTexts {
		clear(c.texts)
	}
	t := ast.InternedTerm(s)
	c.texts[s] = t
	return t
}

// once makes the term of an object or array at a place in memory once. Those without members share such places.
func (c *terms) once(at place, make func() (*ast.Term, error)) (*ast.Term, error) {
	if at.members == 0 {
		return make()
	}
	if t := c.made[at]; t != nil {
		return t, nil
	}
	t, err := make()
	if err == nil {
		c.made[at] = t
	}
	return t, err
}

func (c *terms) object(m map[string]any) (*ast.Term, error) {
	pairs := make([][2]*ast.Term, 0, len(m))
	for k, v := range m {
		t, err := c.of(v)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, [2]*ast.Term{c.text(k), t})
	}
	return ast.NewTerm(ast.NewObject(pairs...)), nil
}

func (c *terms) array(a []any) (*ast.Term, error) {
	list := make([]*ast.Term, len(a))
	for i, v := range a {
		t, err := c.of(v)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		list[i] = t
	}
	return ast.ArrayTerm(list...), nil
}
