package reads

import (
	"hash/maphash"
	"reflect"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/authz-sidecar/sidecar/internal/input"
)

// Narrowing says which values of the input are not distinguished by the rules of an entrypoint, although they read
// them. Rules that only compare the segments of a path with each other, with constants and with data, and use them to
// look up data, cannot tell apart two segments that occur nowhere else; nor do rules that look up headers by names out
// of data and constants read any other header.
type Narrowing struct {
	// Segments is set when a segment that is not known stands for every such segment, and Compared when it must not be
	// a part of any other value that is read either.
	Segments, Compared bool
	// Headers and Query are set when only members of known names are read.
	Headers, Query bool
	known          *known
}

// Any reports whether anything is narrowed.
func (n *Narrowing) Any() bool { return n.Segments || n.Headers || n.Query }

// maxKnown bounds the texts that are known: with more, nothing is narrowed.
const maxKnown = 1 << 20

// NarrowingOf returns what the rules behind ref do not distinguish. data returns the base document at a reference, or
// nil when there is none; it is false when that cannot be told.
func (p *Program) NarrowingOf(ref ast.Ref, data func(ast.Ref) (ast.Value, bool)) Narrowing {
	_, n := p.Narrowed(data, ref)
	return n
}

// Narrowed returns both Of and NarrowingOf, for the values at several references together.
func (p *Program) Narrowed(data func(ast.Ref) (ast.Value, bool), refs ...ast.Ref) (Reads, Narrowing) {
	var all reached
	if len(refs) == 1 {
		all = p.reachOne(refs[0])
	} else {
		all = p.reach(refs...)
	}
	paths := all.paths()
	return Reads{Paths: paths}, narrowing(newFlow(p, all, refs), all, paths, data)
}

// NarrowedSegments returns those of refs whose NarrowingOf has Segments set, and what Narrowed returns for them.
func (p *Program) NarrowedSegments(
	data func(ast.Ref) (ast.Value, bool), refs []ast.Ref,
) (of []ast.Ref, r Reads, n Narrowing) {
	for _, ref := range refs {
		if slices.ContainsFunc(p.Of(ref).Paths, segmentsPath.equal) {
			of = append(of, ref)
		}
	}
	// What holds for all together holds for each.
	if r, n = p.Narrowed(data, of...); n.Segments {
		return of, r, n
	}
	of = slices.DeleteFunc(of, func(ref ast.Ref) bool { return !p.NarrowingOf(ref, data).Segments })
	r, n = p.Narrowed(data, of...)
	return of, r, n
}

// narrowing says what may stay out of paths, as far as f has found out.
func narrowing(f *flow, all reached, paths []Path, data func(ast.Ref) (ast.Value, bool)) Narrowing {
	if f.unknown {
		return Narrowing{}
	}
	// Only what is read has to be narrowed.
	read := func(path Path) bool { return slices.ContainsFunc(paths, path.equal) }
	named := func(name string) bool { return f.names[name] == 0 && !f.whole[name] && read(mapPaths[name]) }
	n := Narrowing{Segments: !f.distinguished && read(segmentsPath), Compared: f.compared, Headers: named("headers"),
		Query: named("query")}
	if f.prefix != nil && strings.IndexAny(*f.prefix, "+-0123456789") == 0 { // with a segment, it may be a number
		n.Segments = false
	}
	if n.Any() {
		n.known = &known{seed: maphash.MakeSeed()}
		if f.prefix != nil {
			n.known.prefix = *f.prefix
		}
		n.known.addNames(all)
		if !n.known.addRules(all.rules) || !n.known.addData(all.rules, data) {
			return Narrowing{}
		}
	}
	return n
}

// Known reports whether a text occurs in the rules or the data, by itself or after the constant that is put before
// segments, names a member of the input or a package, or is the position of an element of an array. It may be true for
// one that does not.
func (n *Narrowing) Known(text string) bool { return n.known.has(text) }

// known are the hashes of texts, each with the constant before it too.
type known struct {
	seed   maphash.Seed
	texts  texts
	prefix string
	// longest is the length of the longest array: OPA's store finds an element of data by the text of its position.
	longest int
}

func (k *known) has(text string) bool {
	if n, ok := util.Atoi(text); ok && n < k.longest {
		return true
	}
	if k.texts.has(maphash.String(k.seed, text)) {
		return true
	}
	if k.prefix == "" {
		return false
	}
	var h maphash.Hash
	h.SetSeed(k.seed)
	_, _ = h.WriteString(k.prefix)
	_, _ = h.WriteString(text)
	return k.texts.has(h.Sum64())
}

func (k *known) add(v ast.Value) bool {
	ast.WalkTerms(ast.NewTerm(v), func(t *ast.Term) bool {
		switch v := t.Value.(type) {
		case ast.String:
			k.texts.add(maphash.String(k.seed, string(v)))
		case *ast.Array:
			k.longest = max(k.longest, v.Len())
		}
		return k.texts.n > maxKnown
	})
	return k.texts.n <= maxKnown
}

// addNames adds the names that rules may come upon without reading a value that has them: those of members of the
// input, and those of packages, which are there even without a rule.
func (k *known) addNames(all reached) {
	for _, name := range memberNames {
		k.add(ast.String(name))
	}
	for node := range all.places {
		k.add(node.Key)
	}
}

// memberNames are the names of the members of the input that every document has in its types.
var memberNames = namesIn(reflect.TypeFor[input.Document]())

func namesIn(t reflect.Type) (names []string) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
			names = append(append(names, name), namesIn(f.Type)...)
		}
	}
	return names
}

// addRules adds the constants of rules and the names that lead to them.
func (k *known) addRules(rules []*Rule) bool {
	for _, r := range rules {
		if r.texts == nil {
			r.texts = textsIn(r)
		}
		k.add(r.Path)
		for _, text := range r.texts {
			k.texts.add(maphash.String(k.seed, text))
		}
		if k.texts.n > maxKnown {
			return false
		}
	}
	return true
}

// textsIn are the texts in a rule.
func textsIn(r *Rule) (all []string) {
	own := *r.Rule
	own.Else = nil // which is looked at by itself
	ast.WalkTerms(&own, func(t *ast.Term) bool {
		if s, ok := t.Value.(ast.String); ok {
			all = append(all, string(s))
		}
		return false
	})
	return all
}

// addData adds the texts in the data that references of rules may lead to, names included.
func (k *known) addData(rules []*Rule, data func(ast.Ref) (ast.Value, bool)) bool {
	var all []Path
	for _, r := range rules {
		for _, ref := range r.Refs {
			if ref[0].Equal(ast.DefaultRootDocument) {
				all = append(all, names(ref[1:]))
			}
		}
	}
	for _, p := range minimal(all) {
		ref := ast.DefaultRootRef.Copy()
		for _, s := range p {
			ref = ref.Append(ast.StringTerm(s.Name))
		}
		if v, ok := data(ref); !ok || v != nil && !k.add(v) {
			return false
		}
	}
	return true
}

// names is the beginning of a reference up to its first part that is no name.
func names(ref ast.Ref) Path {
	out := Path{}
	for _, s := range constant(ref) {
		if s.IsPosition {
			break
		}
		out = append(out, s)
	}
	return out
}
