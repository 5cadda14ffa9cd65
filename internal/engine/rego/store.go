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
	parts         atomic.Pointer[parts]
	whole         atomic.Pointer[ast.Term] // nil while parts serve
	mu            sync.Mutex
	all           func() (*ast.Term, error) // makes whole, once
	forgotten     int                       // how often whole was
}

// parts are the data in the forms that take the least memory.
type parts struct {
	held  ast.Object // of the files whose terms are held
	texts []textAt
}

// textAt is a file whose terms are made of its text when they are read.
type textAt struct {
	file *bundle.DataFile
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

// NewStore returns a store with the data of set. It makes terms of large files when they are read.
func NewStore(set *bundle.Set) (*Store, error) {
	s := &Store{Store: inmem.New(), set: set}
	return s, s.arrange(textUnlessMade)
}

// Arrange makes the terms of large files, but not of those that the policies in compilers read by names alone. Such a
// read makes terms of what is there, and any other makes those of everything.
func (s *Store) Arrange(compilers ...*ast.Compiler) error {
	reads := pathsRead(compilers)
	return s.arrange(func(file *bundle.DataFile) *bundle.Text {
		text := file.Text()
		isLarge := func(read []bundle.Step) bool { return large(file, text, read) }
		if text == nil || slices.ContainsFunc(reads, isLarge) {
			return nil
		}
		return text
	})
}

// arrange holds the texts of the files of which asText returns one, and the terms of others.
func (s *Store) arrange(asText func(*bundle.DataFile) *bundle.Text) error {
	p, err := partsOf(s.set, asText)
	if err == nil {
		s.parts.Store(p)
		s.letGo()
	}
	return err
}

// Settle lets go of terms of everything, which a read has needed, and of what other sets made of the same files.
// Set.Settle is to follow. It is for the store of a policy that decides.
func (s *Store) Settle() {
	texts := map[*bundle.DataFile]*bundle.Text{}
	for _, t := range s.parts.Load().texts {
		texts[t.file] = t.text
	}
	for _, b := range s.set.Bundles {
		for i := range b.Data {
			b.Data[i].Keep(texts[&b.Data[i]])
		}
	}
	s.letGo()
}

// letGo forgets the terms of everything, unless there are no others.
func (s *Store) letGo() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var whole *ast.Term
	if p := s.parts.Load(); len(p.texts) == 0 {
		whole = ast.NewTerm(p.held)
	}
	s.whole.Store(whole)
	s.forgotten++
	since := s.forgotten
	s.all = sync.OnceValues(func() (*ast.Term, error) { return s.makeAll(since) })
}

// makeAll makes the term of all data, and keeps it unless more was forgotten since.
func (s *Store) makeAll(since int) (*ast.Term, error) {
	p, err := partsOf(s.set, func(*bundle.DataFile) *bundle.Text { return nil })
	if err != nil {
		return nil, err
	}
	t := ast.NewTerm(p.held)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forgotten == since {
		s.whole.Store(t)
	}
	return t, nil
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

// errMissing names no path: evaluations read for what is missing often, and none shows the error.
var errMissing = &storage.Error{Code: storage.NotFoundErr, Message: "document does not exist"}

// Read implements storage.Store. Its values are of OPA's type ast.Value.
func (s *Store) Read(_ context.Context, _ storage.Transaction, path storage.Path) (any, error) {
	var v ast.Value
	if all := s.whole.Load(); all != nil {
		v = below(all.Value, path)
	} else if found, ok := s.parts.Load().read(path); ok {
		v = found
	} else {
		s.mu.Lock()
		makeAll := s.all
		s.mu.Unlock()
		all, err := makeAll()
		if err != nil {
			return nil, err
		}
		v = below(all.Value, path)
	}
	if v == nil {
		return nil, errMissing
	}
	return v, nil
}

// NonEmpty implements storage.NonEmptyer: a path is not empty where there is a value, also one that has no members on
// the way. It makes no terms.
func (s *Store) NonEmpty(context.Context, storage.Transaction) func([]string) (bool, error) {
	top := s.parts.Load().data()
	return func(path []string) (bool, error) {
		data := top
		for _, name := range path {
			member := data.Member(name)
			if member == nil {
				return data.Kind() != term.ObjectKind, nil
			}
			data = member
		}
		return true, nil
	}
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

// partsOf are the data of a set: texts of the files of which asText returns one, and terms of others. They must not be
// written.
func partsOf(set *bundle.Set, asText func(*bundle.DataFile) *bundle.Text) (*parts, error) {
	doc := ast.NewTerm(ast.NewObject())
	var p parts
	for _, b := range set.Bundles {
		for i := range b.Data {
			file := &b.Data[i]
			if text := asText(file); text != nil {
				p.texts = append(p.texts, textAt{file, file.At, text, new([256]atomic.Pointer[keptPart])})
				continue
			}
			value, err := termsOf(file)
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
	var object bool
	if p.held, object = doc.Value.(ast.Object); !object {
		return nil, fmt.Errorf("read the data: %s, want an object", term.Describe(doc.Value))
	}
	return &p, nil
}

// termsOf is the value of a file of data in OPA's form, which is made once.
func termsOf(file *bundle.DataFile) (ast.Value, error) {
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
