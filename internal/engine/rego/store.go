package rego

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// Store has the data of a set, and nothing writes it: stores share what they hold with those of other sets that have
// the same files. It is safe for concurrent use.
type Store struct {
	storage.Store // has no data; transactions are its own
	set           *bundle.Set
	mu            sync.Mutex
	whole         atomic.Pointer[ast.Term] // nil while parts serve
	parts         atomic.Pointer[parts]
}

// parts are the data in the forms that take the least memory.
type parts struct {
	held  ast.Value // of the files whose terms are held
	texts []textAt
}

// textAt is a file whose terms are made of its text when they are read.
type textAt struct {
	at   storage.Path
	text *bundle.Text
	// kept are small values that were read, in places by where they are in the text.
	kept *[256]atomic.Pointer[keptPart]
}

// keptPart is the term of a value, and where in the text that begins.
type keptPart struct {
	at   uint32
	term *ast.Term
}

// maxKeptPart is how many bytes of text the values have that are kept.
const maxKeptPart = 2 << 10

// NewStore returns a store with the data of set.
func NewStore(set *bundle.Set) (*Store, error) {
	s := &Store{Store: inmem.New(), set: set}
	_, err := s.all()
	return s, err
}

// Settle lets go of the terms of large files that the policies in compilers read by names alone. From then on, such a
// read makes terms of what is there. Terms of everything are made once a read needs them. Set.Settle is to follow.
func (s *Store) Settle(compilers ...*ast.Compiler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reads := pathsRead(compilers)
	var p parts
	held, err := dataOf(s.set, func(file *bundle.DataFile) bool {
		text := file.Text()
		isLarge := func(read []bundle.Step) bool { return large(file, text, read) }
		if text == nil || slices.ContainsFunc(reads, isLarge) {
			return true
		}
		file.Keep(text)
		p.texts = append(p.texts, textAt{file.At, text, new([256]atomic.Pointer[keptPart])})
		return false
	})
	if err == nil && len(p.texts) > 0 {
		p.held = held
		s.parts.Store(&p)
		s.whole.Store(nil)
	}
}

// large reports whether a path leads to more of a file than is made at once.
func large(file *bundle.DataFile, text *bundle.Text, path []bundle.Step) bool {
	for i, name := range file.At {
		if i == len(path) {
			return true
		}
		if !path[i].Any && path[i].Name != name {
			return false
		}
	}
	return text.Large(path[len(file.At):])
}

// Read implements storage.Store. Its values are of OPA's type ast.Value.
func (s *Store) Read(_ context.Context, _ storage.Transaction, path storage.Path) (any, error) {
	var v ast.Value
	if all := s.whole.Load(); all != nil {
		v = below(all.Value, path)
	} else if found, ok := s.parts.Load().read(path); ok {
		v = found
	} else {
		all, err := s.all()
		if err != nil {
			return nil, err
		}
		v = below(all.Value, path)
	}
	if v == nil {
		return nil, &storage.Error{Code: storage.NotFoundErr, Message: path.String() + ": document does not exist"}
	}
	return v, nil
}

// all is the term of all data.
func (s *Store) all() (*ast.Term, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.whole.Load(); t != nil {
		return t, nil
	}
	data, err := Data(s.set)
	if err != nil {
		return nil, err
	}
	t := ast.NewTerm(data)
	s.whole.Store(t)
	return t, nil
}

// read is the value at a path, or nil. It is not known when ok is false.
func (p *parts) read(path storage.Path) (v ast.Value, ok bool) {
	v = below(p.held, path)
	for i := range p.texts {
		t := &p.texts[i]
		if n := min(len(path), len(t.at)); !slices.Equal(path[:n], t.at[:n]) {
			continue
		} else if n == len(path) {
			return nil, false // the whole file, and more
		}
		at, rest, found := t.text.Find(path[len(t.at):])
		if !found {
			continue
		}
		part := t.part(at)
		if part == nil {
			return nil, false
		}
		switch inner := below(part.Value, rest); {
		case inner == nil:
		case v != nil:
			return nil, false // objects of two files are one
		default:
			v = inner
		}
	}
	return v, true
}

// part is the term of the value that begins at a place; nil where it is too large.
func (t *textAt) part(at uint32) *ast.Term {
	place := &t.kept[(at*2654435761)>>24]
	if kept := place.Load(); kept != nil && kept.at == at {
		return kept.term
	}
	part, size := bundle.PartOf(t.text, at, terms{})
	switch {
	case size == 0:
		return nil
	case size <= maxKeptPart:
		place.Store(&keptPart{at, part})
	}
	return part
}

// below is the value at a path in v, or nil, as OPA's own store finds it.
func below(v ast.Value, path storage.Path) ast.Value {
	key := ast.TermPtrPool.Get()
	defer ast.TermPtrPool.Put(key)
	for _, name := range path {
		switch in := v.(type) {
		case ast.Object:
			at := key
			if ast.HasInternedValue(name) {
				at = ast.InternedTerm(name)
			} else {
				key.Value = ast.String(name)
			}
			member := in.Get(at)
			if member == nil {
				return nil
			}
			v = member.Value
		case *ast.Array:
			i, ok := util.Atoi(name)
			if !ok || i < 0 || i >= in.Len() {
				return nil
			}
			v = in.Elem(i).Value
		default:
			return nil
		}
	}
	return v
}

// Data is bundle.Set.Document in OPA's form. It must not be written.
func Data(set *bundle.Set) (ast.Object, error) {
	return dataOf(set, func(*bundle.DataFile) bool { return true })
}

// dataOf is the data of some files of a set in OPA's form.
func dataOf(set *bundle.Set, wanted func(*bundle.DataFile) bool) (ast.Object, error) {
	doc := ast.NewTerm(ast.NewObject())
	for _, b := range set.Bundles {
		for i := range b.Data {
			file := &b.Data[i]
			if !wanted(file) {
				continue
			}
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
