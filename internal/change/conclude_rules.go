package change

import (
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/engine/meaning"
)

// rules are what denied and is gone, and the other rules that differ.
func (f *findings) rules() {
	var moved, restyled, asides []string
	ways := map[string]bool{} // paths that the old version has
	for _, r := range f.c.Rules {
		ways[r.Path] = ways[r.Path] || r.Old != nil
	}
	for i := range f.c.Rules {
		r := &f.c.Rules[i]
		switch {
		case r.How == Moved:
			moved = append(moved, r.Path)
		case r.How == Restyled:
			restyled = append(restyled, r.Path)
		case f.loosened(r):
		case len(r.Entrypoints) == 0 && r.Bears == meaning.Aside &&
			slices.Equal(r.Parts, []string{meaning.PartMetadata}):
			f.rule(r, KindRule, Plain, r.Path+" has other metadata")
		case len(r.Entrypoints) == 0:
			asides = append(asides, r.Path)
		case r.How == Added && r.Bears == meaning.Allows:
			f.rule(r, KindRule, Notable, r.Path+" has one more definition, by which more may be allowed",
				conditions(r)...)
		case r.How == Added && r.Denies:
			f.rule(r, KindRule, Plain, r.Path+" has one more definition, by which more is denied", conditions(r)...)
		default:
			f.rule(r, KindRule, ruleLevel(r), ruleTitle(r), conditions(r)...)
		}
	}
	for _, group := range []struct {
		paths []string
		what  string
		kind  Kind
	}{
		{asides, "that no entrypoint depends on differ: ", KindRule},
		{moved, "moved to another file and are the same: ", KindForm},
		{restyled, "differ in format and comments only: ", KindForm},
	} {
		if n := len(group.paths); n > 0 {
			what := group.what
			if n == 1 {
				what = strings.NewReplacer("differ ", "differs ", "differ:", "differs:", "and are",
					"and is").Replace(what)
			}
			f.add(group.kind, Plain, group.paths, counted(n, "definition")+" "+what+
				listed(slices.Compact(slices.Clone(group.paths)), 6))
		}
	}
}

// loosened adds a finding where a rule or a condition that denied is gone.
func (f *findings) loosened(r *Rule) bool {
	switch {
	case r.Denies && r.How == Removed:
		f.rule(r, KindDeny, Notable, "a definition of "+r.Path+", which denies, is gone", conditions(r)...)
	case r.Denies && r.How == Changed && len(r.Gained) > 0:
		f.rule(r, KindDeny, Notable, r.Path+" denies less: it now asks for more", conditions(r)...)
	case r.Bears == meaning.Allows && r.How == Changed && len(r.Dropped) > 0 &&
		(len(r.Gained) == 0 || slices.ContainsFunc(r.Dropped, negated)):
		f.rule(r, KindDeny, Notable, r.Path+" no longer asks: "+listed(oneLine(r.Dropped), 3), conditions(r)...)
	default:
		return false
	}
	return true
}

func negated(condition string) bool { return strings.HasPrefix(condition, "not ") }

// rule adds a finding about one rule, with its places.
func (f *findings) rule(r *Rule, kind Kind, level Level, title string, details ...string) {
	about := []string{r.Path, string(r.How)}
	if r.Old != nil {
		about = append(about, r.Old.Rego)
	}
	if r.New != nil {
		about = append(about, r.New.Rego)
	}
	finding := f.add(kind, level, about, title, details...)
	if r.New != nil {
		finding.Places = []meaning.Place{{Rule: r.Path, File: r.New.File, Row: r.New.Row}}
	}
	if r.Old != nil {
		finding.Gone = []meaning.Place{{Rule: r.Path, File: r.Old.File, Row: r.Old.Row}}
	}
}

func ruleLevel(r *Rule) Level {
	if r.Bears == meaning.Aside {
		return Plain
	}
	return Notable
}

func ruleTitle(r *Rule) string {
	switch r.How {
	case Added:
		return r.Path + " has a new definition"
	case Removed:
		return "a definition of " + r.Path + " is gone"
	}
	return r.Path + " is changed: " + strings.Join(r.Parts, ", ")
}

// conditions are those that only one version has, a line each.
func conditions(r *Rule) (out []string) {
	for _, c := range oneLine(r.Dropped) {
		out = append(out, "- "+c)
	}
	for _, c := range oneLine(r.Gained) {
		out = append(out, "+ "+c)
	}
	return out
}

// oneLine are texts without line breaks.
func oneLine(list []string) (out []string) {
	for _, s := range list {
		out = append(out, strings.Join(strings.Fields(s), " "))
	}
	return out
}
