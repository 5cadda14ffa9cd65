package rego

import (
	"iter"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// Data is a value of the data of a set. That of a large file is looked at in its text, of which no terms are made.
type Data interface {
	// Kind is one kind.
	Kind() term.Kinds
	// Len is how many members an object has, or elements an array; 0 for another value.
	Len() int
	// Member is the value of a member; nil where the value is no object that has one of this name.
	Member(name string) Data
	// All are the members of an object with their names, or the elements of an array, in an order that is always the
	// same.
	All() iter.Seq2[string, Data]
}

// DataOf is bundle.Set.Document.
func DataOf(set *bundle.Set) (Data, error) {
	p, err := partsOf(set, textUnlessMade)
	if err != nil {
		return nil, err
	}
	return p.data(), nil
}

// DataOfFile is the value of a file.
func DataOfFile(file *bundle.DataFile) (Data, error) {
	if text := textUnlessMade(file); text != nil {
		return placeData{text.Top()}, nil
	}
	v, err := termsOf(file)
	return termData{v}, err
}

// textUnlessMade is the text of a large file of JSON of which there are no terms yet; nil for another.
func textUnlessMade(file *bundle.DataFile) *bundle.Text {
	if file.Slot().Load() != nil {
		return nil
	}
	return file.Text()
}

// data are all parts in one.
func (p *parts) data() Data {
	all := Data(termData{p.held})
	for i := range p.texts {
		t := &p.texts[i]
		one := Data(placeData{t.text.Top()})
		for _, name := range slices.Backward(t.at) {
			one = under{name, one}
		}
		all = joined(all, one)
	}
	return all
}

// termData is a term.
type termData struct{ value ast.Value }

func (d termData) Kind() term.Kinds {
	switch d.value.(type) {
	case ast.Object:
		return term.ObjectKind
	case *ast.Array:
		return term.ArrayKind
	case ast.String:
		return term.StringKind
	case ast.Number:
		return term.NumberKind
	case ast.Boolean:
		return term.BooleanKind
	}
	return term.NullKind
}

func (d termData) Len() int {
	switch v := d.value.(type) {
	case ast.Object:
		return v.Len()
	case *ast.Array:
		return v.Len()
	}
	return 0
}

func (d termData) Member(name string) Data {
	if object, ok := d.value.(ast.Object); ok {
		if v := object.Get(ast.InternedTerm(name)); v != nil {
			return termData{v.Value}
		}
	}
	return nil
}

func (d termData) All() iter.Seq2[string, Data] {
	return func(yield func(string, Data) bool) {
		switch v := d.value.(type) {
		case ast.Object:
			v.Until(func(name, member *ast.Term) bool {
				s, _ := name.Value.(ast.String)
				return !yield(string(s), termData{member.Value})
			})
		case *ast.Array:
			v.Until(func(element *ast.Term) bool { return !yield("", termData{element.Value}) })
		}
	}
}

// placeData is a value in a text.
type placeData struct{ bundle.Place }

func (d placeData) Kind() term.Kinds {
	switch d.First() {
	case '{':
		return term.ObjectKind
	case '[':
		return term.ArrayKind
	case '"':
		return term.StringKind
	case 't', 'f':
		return term.BooleanKind
	case 'n':
		return term.NullKind
	}
	return term.NumberKind
}

func (d placeData) Member(name string) Data {
	if member, ok := d.Place.Member(name); ok {
		return placeData{member}
	}
	return nil
}

func (d placeData) All() iter.Seq2[string, Data] {
	return func(yield func(string, Data) bool) {
		for name, at := range d.Place.All() {
			if !yield(name, placeData{at}) {
				return
			}
		}
	}
}

// under is an object with one member.
type under struct {
	name   string
	member Data
}

func (under) Kind() term.Kinds { return term.ObjectKind }
func (under) Len() int         { return 1 }

func (u under) Member(name string) Data {
	if name == u.name {
		return u.member
	}
	return nil
}

func (u under) All() iter.Seq2[string, Data] {
	return func(yield func(string, Data) bool) { yield(u.name, u.member) }
}

// several are objects of several files that are one.
type several []Data

// joined joins two values that do not contradict each other, as overlay does. Both may be nil.
func joined(a, b Data) Data {
	switch {
	case a == nil || b != nil && (a.Kind()&b.Kind() != term.ObjectKind || empty(a)):
		return b
	case b == nil || empty(b):
		return a
	}
	if all, ok := a.(several); ok {
		return append(all[:len(all):len(all)], b)
	}
	return several{a, b}
}

func empty(d Data) bool {
	for range d.All() {
		return false
	}
	return true
}

func (several) Kind() term.Kinds { return term.ObjectKind }

func (s several) Len() (n int) {
	for i, one := range s {
		if i == 0 {
			n = one.Len()
			continue
		}
		for name := range one.All() {
			if s[:i].Member(name) == nil {
				n++
			}
		}
	}
	return n
}

func (s several) Member(name string) (v Data) {
	for _, one := range s {
		v = joined(v, one.Member(name))
	}
	return v
}

func (s several) All() iter.Seq2[string, Data] {
	return func(yield func(string, Data) bool) {
		for i, one := range s {
			for name := range one.All() {
				if s[:i].Member(name) == nil && !yield(name, s[i:].Member(name)) {
					return
				}
			}
		}
	}
}
