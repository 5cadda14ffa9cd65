package formula

import (
	"maps"
	"slices"
)

// Term is a literal, asserted or denied, or, where the alternatives would be too many to list, a choice.
type Term struct {
	Literal *Literal
	Negated bool
	// Choice is set instead of Literal: one of these formulas must hold.
	Choice []*Formula
}

// key is equal for equal terms.
func (t Term) key() string {
	switch {
	case t.Literal == nil:
		return Any(t.Choice...).Text()
	case t.Negated:
		return "not(" + t.Literal.Key + ")"
	}
	return t.Literal.Key
}

// maxAlternatives bounds how many are listed.
const maxAlternatives = 32

// Alternatives lists the ways in which f can hold: each is a list of terms that must all hold. A way that contradicts
// itself, and one that asks for more than another, is left out. No way means that f never holds; a way without terms
// means that it always does.
func Alternatives(f *Formula) [][]Term {
	var out []map[string]Term
	for _, way := range expand(f) {
		if !contradicts(way) {
			out = append(out, way)
		}
	}
	out = minimal(resolved(minimal(out)))
	lists := make([][]Term, 0, len(out))
	for _, way := range out {
		list := make([]Term, 0, len(way))
		for _, key := range slices.Sorted(maps.Keys(way)) {
			list = append(list, way[key])
		}
		lists = append(lists, list)
	}
	return lists
}

func single(t Term) []map[string]Term { return []map[string]Term{{t.key(): t}} }

// expand multiplies out, with at most maxAlternatives ways.
func expand(f *Formula) []map[string]Term {
	switch f.Op {
	case Lit:
		return single(Term{Literal: f.Literal})
	case Not:
		return single(Term{Literal: f.Parts[0].Literal, Negated: true})
	case Or:
		var ways []map[string]Term
		for _, p := range f.Parts {
			ways = append(ways, expand(p)...)
		}
		if len(ways) > maxAlternatives {
			return single(Term{Choice: f.Parts})
		}
		return ways
	}
	ways := []map[string]Term{{}}
	for _, p := range f.Parts {
		more := expand(p)
		if len(ways)*len(more) > maxAlternatives {
			more = single(Term{Choice: []*Formula{p}})
		}
		var product []map[string]Term
		for _, a := range ways {
			for _, b := range more {
				both := maps.Clone(a)
				maps.Copy(both, b)
				product = append(product, both)
			}
		}
		ways = product
	}
	return ways
}

func contradicts(way map[string]Term) bool {
	for _, t := range way {
		if t.Negated {
			if _, both := way[t.Literal.Key]; both {
				return true
			}
		}
	}
	return false
}

// minimal leaves out ways that ask for all that another way asks for.
func minimal(ways []map[string]Term) []map[string]Term {
	var out []map[string]Term
	for i, way := range ways {
		if !slices.ContainsFunc(ways[:i], func(o map[string]Term) bool { return includes(way, o) }) &&
			!slices.ContainsFunc(ways[i+1:], func(o map[string]Term) bool {
				return includes(way, o) && len(o) < len(way)
			}) {
			out = append(out, way)
		}
	}
	return out
}

func includes(way, other map[string]Term) bool {
	for key := range other {
		if _, ok := way[key]; !ok {
			return false
		}
	}
	return true
}

// resolved drops what is denied only because another way asserts it: of "a" and "b and not a" the second is "b".
func resolved(ways []map[string]Term) []map[string]Term {
	for again := true; again; {
		again = false
		for i, way := range ways {
			for key, t := range way {
				if !t.Negated {
					continue
				}
				rest := maps.Clone(way)
				delete(rest, key)
				asserted := maps.Clone(rest)
				asserted[t.Literal.Key] = Term{Literal: t.Literal}
				if slices.ContainsFunc(ways, func(other map[string]Term) bool { return includes(asserted, other) }) {
					ways[i], again = rest, true
					break
				}
			}
		}
	}
	return ways
}
