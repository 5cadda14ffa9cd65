package rego

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// NewStore returns a store with the data of set. It must not be written: stores share what they hold with those of
// other sets that have the same files.
func NewStore(set *bundle.Set) (storage.Store, error) {
	data, err := Data(set)
	if err != nil {
		return nil, err
	}
	return inmem.NewFromASTObject(data), nil
}

// Data is bundle.Set.Document in OPA's form. It must not be written.
func Data(set *bundle.Set) (ast.Object, error) {
	doc := ast.NewTerm(ast.NewObject())
	for _, b := range set.Bundles {
		for i := range b.Data {
			file := &b.Data[i]
			value, err := DataOf(file)
			if err != nil {
				return nil, fmt.Errorf("read the data of %s: %w", file.Path, err)
			}
			t := ast.NewTerm(value)
			for _, name := range slices.Backward(file.At) {
				t = ast.ObjectTerm([2]*ast.Term{ast.InternedTerm(name), t})
			}
			doc = overlay(doc, t)
		}
	}
	object, ok := doc.Value.(ast.Object)
	if !ok {
		return nil, fmt.Errorf("read the data: %s, want an object", term.Describe(doc.Value))
	}
	return object, nil
}

// DataOf is the value of a file of data, which is made once.
func DataOf(file *bundle.DataFile) (ast.Value, error) {
	if v, ok := file.Slot().Load().(*ast.Term); ok {
		return v.Value, nil
	}
	t, err := bundle.MakeOf(file, terms{})
	if err != nil {
		return nil, err
	}
	file.Slot().Store(t)
	return t.Value, nil
}

// overlay joins two values that do not contradict each other, and changes neither: see bundle.Set.Document.
func overlay(a, b *ast.Term) *ast.Term {
	x, object := a.Value.(ast.Object)
	y, both := b.Value.(ast.Object)
	switch {
	case !object || !both || x.Len() == 0:
		return b
	case y.Len() == 0:
		return a
	}
	pairs := make([][2]*ast.Term, 0, x.Len()+y.Len())
	x.Foreach(func(k, v *ast.Term) {
		if other := y.Get(k); other != nil {
			v = overlay(v, other)
		}
		pairs = append(pairs, [2]*ast.Term{k, v})
	})
	y.Foreach(func(k, v *ast.Term) {
		if x.Get(k) == nil {
			pairs = append(pairs, [2]*ast.Term{k, v})
		}
	})
	return ast.NewTerm(ast.NewObject(pairs...))
}
