package lint

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// readers knows which parts of the input each rule depends on.
type readers struct {
	program *program
	direct  map[*ast.Rule]facts
	byPath  map[string]map[string]bool // of all rules of a path, through other rules too
}

// facts are what one branch names: parts of the input, and rules.
type facts struct{ parts, rules []string }

func newReaders(p *program) *readers {
	r := &readers{program: p, direct: map[*ast.Rule]facts{}, byPath: map[string]map[string]bool{}}
	for path, rules := range p.rules {
		r.byPath[path] = map[string]bool{}
		for _, root := range rules {
			for rule := root; rule != nil; rule = rule.Else {
				r.direct[rule] = r.factsOf(rule.Head, rule.Body)
			}
		}
	}
	for changed := true; changed; {
		changed = false
		for path, rules := range p.rules {
			parts := r.byPath[path]
			before := len(parts)
			for _, root := range rules {
				for rule := root; rule != nil; rule = rule.Else {
					r.collect(r.direct[rule], parts)
				}
			}
			changed = changed || len(parts) > before
		}
	}
	return r
}

// factsOf reads parts of a branch.
func (r *readers) factsOf(parts ...any) facts {
	var f facts
	see := func(ref ast.Ref) bool {
		switch {
		case ref.HasPrefix(ast.InputRootRef) && len(ref) > 1:
			name, _ := ref[1].Value.(ast.String)
			f.parts = append(f.parts, "input."+string(name))
		case ref.HasPrefix(ast.InputRootRef):
			f.parts = append(f.parts, "input")
		case ref.HasPrefix(ast.DefaultRootRef):
			f.rules = append(f.rules, r.program.rulesAt(ref)...)
		}
		return false
	}
	bare := func(t *ast.Term) bool {
		if v, ok := t.Value.(ast.Var); ok && v.Equal(ast.InputRootDocument.Value) {
			f.parts = append(f.parts, "input")
		}
		_, ref := t.Value.(ast.Ref)
		return ref
	}
	for _, x := range parts {
		ast.WalkRefs(x, see)
		ast.WalkTerms(x, bare)
	}
	return f
}

func (r *readers) collect(f facts, into map[string]bool) {
	for _, part := range f.parts {
		into[part] = true
	}
	for _, path := range f.rules {
		maps.Copy(into, r.byPath[path])
	}
}

// of are the parts of the input that the condition of a branch depends on, sorted.
func (r *readers) of(rule *ast.Rule) []string {
	condition := []any{rule.Body}
	if value := rule.Head.Value; value != nil {
		if object, ok := value.Value.(ast.Object); ok {
			value = object.Get(ast.InternedTerm("allow"))
		}
		if value != nil {
			condition = append(condition, value)
		}
	}
	parts := map[string]bool{}
	r.collect(r.factsOf(condition...), parts)
	out := slices.AppendSeq([]string{}, maps.Keys(parts))
	slices.Sort(out)
	return out
}
