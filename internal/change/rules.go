package change

import (
	"cmp"
	"maps"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/engine/meaning"
)

// rules are the definitions that came, went or differ, by path and place.
func (x comparison) rules() []Rule {
	before, after := byPath(x.old.Definitions), byPath(x.new.Definitions)
	all := maps.Clone(before)
	maps.Copy(all, after)
	out := []Rule{}
	for _, path := range slices.Sorted(maps.Keys(all)) {
		for _, p := range paired(before[path], after[path]) {
			if r, differs := p.rule(); differs {
				if r.Bears = x.old.Bearing(path); r.Bears == meaning.Aside {
					r.Bears = x.new.Bearing(path)
				}
				r.Denies = r.Bears == meaning.Denies
				r.Entrypoints = union(x.old.Reaching(path), x.new.Reaching(path))
				out = append(out, r)
			}
		}
	}
	return out
}

func byPath(all []meaning.Definition) map[string][]*meaning.Definition {
	out := map[string][]*meaning.Definition{}
	for i := range all {
		out[all[i].Path] = append(out[all[i].Path], &all[i])
	}
	return out
}

// pair is a definition in both versions; one of them may be nil.
type pair struct{ old, new *meaning.Definition }

// paired finds for each definition of one path that of the other version: the same one, else the most similar.
func paired(before, after []*meaning.Definition) []pair {
	only := len(before) == 1 && len(after) == 1
	var out []pair
	take := func(score func(a, b *meaning.Definition) int) {
		for len(before) > 0 && len(after) > 0 {
			best, i, j := 0, 0, 0
			for n, a := range before {
				for m, b := range after {
					if s := score(a, b); s > best {
						best, i, j = s, n, m
					}
				}
			}
			if best == 0 {
				return
			}
			out = append(out, pair{before[i], after[j]})
			before, after = slices.Delete(slices.Clone(before), i, i+1), slices.Delete(slices.Clone(after), j, j+1)
		}
	}
	take(sameness)
	if only && len(before) == 1 {
		out = append(out, pair{before[0], after[0]})
		return out
	}
	take(similarity)
	for _, d := range before {
		out = append(out, pair{old: d})
	}
	for _, d := range after {
		out = append(out, pair{new: d})
	}
	return out
}

// sameness is 0 for definitions that differ in meaning, and greater the less has moved.
func sameness(a, b *meaning.Definition) int {
	switch {
	case !a.SameAs(b):
		return 0
	case a.Below == b.Below && a.Text.Rego == b.Text.Rego:
		return 3
	case a.Below == b.Below:
		return 2
	}
	return 1
}

// similarity counts what two definitions have in common; 0 where the one is not the other rewritten.
func similarity(a, b *meaning.Definition) int {
	n := 2 * len(common(a.Conditions, b.Conditions))
	if a.Parts[meaning.PartValue] == b.Parts[meaning.PartValue] && a.Valued() {
		n += 2
	}
	if n > 0 && a.Below == b.Below {
		n++
	}
	return n
}

func common(a, b []meaning.Condition) (out []string) {
	for _, c := range a {
		if slices.ContainsFunc(b, func(other meaning.Condition) bool { return other.Form == c.Form }) {
			out = append(out, c.Rego)
		}
	}
	return out
}

// missing are the conditions of a that b lacks, as they are written.
func missing(a, b []meaning.Condition) (out []string) {
	for _, c := range a {
		if !slices.ContainsFunc(b, func(other meaning.Condition) bool { return other.Form == c.Form }) {
			out = append(out, c.Rego)
		}
	}
	return out
}

// rule is a pair as the report has it; differs is false where nothing is to be told.
func (p pair) rule() (r Rule, differs bool) {
	switch {
	case p.old == nil:
		return Rule{Path: p.new.Path, How: Added, New: &p.new.Text, Gained: missing(p.new.Conditions, nil)}, true
	case p.new == nil:
		return Rule{Path: p.old.Path, How: Removed, Old: &p.old.Text, Dropped: missing(p.old.Conditions, nil)}, true
	}
	r = Rule{Path: p.old.Path, How: Changed, Old: &p.old.Text, New: &p.new.Text}
	switch {
	case !p.old.SameAs(p.new):
		r.Parts = partsOf(p.old, p.new)
		r.Dropped = missing(p.old.Conditions, p.new.Conditions)
		r.Gained = missing(p.new.Conditions, p.old.Conditions)
	case p.old.Below != p.new.Below:
		r.How = Moved
	case p.old.Text.Rego != p.new.Text.Rego, p.old.Text.Metadata != p.new.Text.Metadata:
		r.How = Restyled
	default:
		return r, false
	}
	return r, true
}

// partsOf are the names of the parts that differ, in the order of the source.
func partsOf(a, b *meaning.Definition) (out []string) {
	for _, name := range []string{meaning.PartMetadata, meaning.PartDefault, meaning.PartName, meaning.PartArguments,
		meaning.PartValue, meaning.PartConditions, meaning.PartElse} {
		if a.Parts[name] != b.Parts[name] {
			out = append(out, name)
		}
	}
	return out
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// entrypoints are those that came, went, or say something else in their metadata.
func (x comparison) entrypoints() []Entrypoint {
	out := []Entrypoint{}
	for _, path := range union(x.from.Policy.Entrypoints(), x.to.Policy.Entrypoints()) {
		e := Entrypoint{Path: path, How: Changed, Old: metadataOf(x.from, x.old, path),
			New: metadataOf(x.to, x.new, path)}
		switch {
		case !x.from.Policy.Has(path):
			e.How = Added
		case !x.to.Policy.Has(path):
			e.How = Removed
		case e.Old == e.New:
			continue
		}
		out = append(out, e)
	}
	return out
}

// metadataOf is what an entrypoint asks of the facts about a token, in words.
func metadataOf(s Side, p program, path string) string {
	if p.Entrypoints[path] == nil {
		return ""
	}
	f := s.Policy.Freshness(path)
	out := cmp.Or(string(f.Mode), "as configured")
	if f.Limited {
		out += ", at most " + f.MaxAge.String() + " old"
	}
	return out
}
