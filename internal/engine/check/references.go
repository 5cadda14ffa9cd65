package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
	"github.com/authz-sidecar/sidecar/internal/suggest"
)

const codeReference = "reference_error"

// maxRuleDepth bounds how many rules are followed from one to the next.
const maxRuleDepth = 8

// undefinedRefs finds references that nothing provides. OPA evaluates them to undefined, which "not" makes true.
// Behind a variable only likely misspellings are reported, for data may lack a member today and have it tomorrow.
func (l *dataTree) undefinedRefs(optional map[*ast.Rule][]ast.Ref) bundle.Problems {
	var out bundle.Problems
	for _, s := range l.program.scopes {
		for _, r := range s.refs {
			if l.program.replaced.cover(r.term, r.ref) {
				continue
			}
			if cause := l.undefinedCause(s, r.ref, optional[s.root]); cause != "" {
				out = append(out, rego.ProblemAt(r.at, codeReference, "%s", cause))
			}
		}
		for _, c := range s.calls {
			if cause := l.undefinedLookup(s, c); cause != "" {
				out = append(out, rego.ProblemAt(c.at, codeReference, "%s", cause))
			}
		}
	}
	return out.Sorted()
}

// replacements are the targets of "with" under data, and the references to data besides. A target provides what is
// read below it, so that rules may pass values to each other. A target that nothing reads is a misspelling.
type replacements struct {
	targets map[*ast.Term]ast.Ref
	reads   []ast.Ref
}

func (p *Program) replacements() replacements {
	out := replacements{targets: map[*ast.Term]ast.Ref{}}
	for _, s := range p.scopes {
		for _, t := range rego.WithTargets(s.rule, ast.DefaultRootRef) {
			out.targets[t] = t.Value.(ast.Ref)
		}
	}
	if len(out.targets) == 0 {
		return out
	}
	for _, s := range p.scopes {
		for _, r := range s.refs {
			if out.targets[r.term] == nil && r.ref.HasPrefix(ast.DefaultRootRef) {
				out.reads = append(out.reads, r.ref)
			}
		}
	}
	return out
}

// cover reports whether a "with" provides ref, or ref is a target that something reads.
func (r replacements) cover(t *ast.Term, ref ast.Ref) bool {
	if r.targets[t] != nil {
		return slices.ContainsFunc(r.reads,
			func(read ast.Ref) bool { return read.HasPrefix(ref) || ref.HasPrefix(read) })
	}
	for _, target := range r.targets {
		if ref.HasPrefix(target) {
			return true
		}
	}
	return false
}

// tolerance is what a reference may lack.
type tolerance struct {
	// optional are the paths that metadata declares optional.
	optional []ast.Ref
	// names is how many constants the variables of the reference stand for. Data may lack some of several today.
	names int
}

// undefinedCause says why nothing provides ref, with each constant that its variables stand for, or is empty.
func (l *dataTree) undefinedCause(s *scope, ref ast.Ref, optional []ast.Ref) string {
	spelt := l.program.withConstants(s, ref)
	for _, r := range spelt {
		if cause := l.undefinedForm(s, r, tolerance{optional, len(spelt)}); cause != "" {
			return cause
		}
	}
	return ""
}

// undefinedForm says the same about one form of ref, which may expand to several references.
func (l *dataTree) undefinedForm(s *scope, ref ast.Ref, may tolerance) string {
	refs, ok := l.program.expansions(s, ref)
	if !ok || len(refs) == 0 {
		return ""
	}
	cause := ""
	for _, r := range refs {
		c := cmp.Or(l.undefinedRef(s, r, may), l.wrongKey(s, ref, r))
		if c == "" {
			return "" // one of its expansions is provided
		}
		cause = c
	}
	return cause
}

// wrongKey says which variable of ref has a type that is no key of the data there: members of objects have strings,
// elements of arrays numbers.
func (l *dataTree) wrongKey(s *scope, ref, expanded ast.Ref) string {
	if !expanded.HasPrefix(ast.DefaultRootRef) {
		return ""
	}
	for i := 1; i < len(ref); i++ {
		if _, ok := ref[i].Value.(ast.Var); !ok {
			continue
		}
		key := l.program.typeOf(s, ref[i])
		if key.of == nil || key.otherwise != nil {
			continue
		}
		above := expanded[:len(expanded)-len(ref)+i]
		data := l.program.dataAt(above)
		names := func(v rego.Data) bool { return term.KindsOf(key.of)&keyKinds(v) != 0 }
		if len(data) > 0 && !slices.ContainsFunc(data, names) {
			return fmt.Sprintf("undefined ref: %s is looked up by %s, which names nothing there%s",
				rego.AsWritten(above), key.words(), rego.ArrayKeyHint(key.ref))
		}
	}
	return ""
}

// keyKinds are the kinds of keys of a value of the data.
func keyKinds(v rego.Data) term.Kinds {
	switch v.Kind() {
	case term.ObjectKind:
		return term.StringKind
	case term.ArrayKind:
		return term.NumberKind
	}
	return term.AnyKind // a scalar has no members, which is reported as an undefined reference
}

// undefinedRef checks one reference. OPA's type check has seen references to the input, except those that begin with
// an argument of a function and those with names in variables.
func (l *dataTree) undefinedRef(s *scope, ref ast.Ref, may tolerance) string {
	if ref.HasPrefix(ast.InputRootRef) {
		if s.logged || l.program.compiler.TypeEnv.GetByRef(ref) != nil {
			return ""
		}
		return fmt.Sprintf("undefined ref: %s: the input has no such member%s", rego.AsWritten(ref),
			rego.InputHint(ref))
	}
	g := l.missing(ref, maxRuleDepth)
	if g == nil || l.declaredOptional(ref, may.optional) || (!g.certain || may.names > 1) && !g.misspelt() {
		return ""
	}
	return g.message(ref, g.suggestion())
}

// message says which element is missing, what is there instead, and what was probably meant.
func (g *missingRef) message(ref ast.Ref, guess string) string {
	there, siblings := "nothing", g.siblings()
	if len(siblings) > 0 {
		there = strings.Join(siblings[:min(len(siblings), 12)], ", ")
		if len(siblings) > 12 {
			there += fmt.Sprintf(" and %d more", len(siblings)-12)
		}
	}
	out := "undefined ref: " + rego.AsWritten(withoutIteration(ref))
	if !g.ref.Equal(ref) {
		out += ", which is " + rego.AsWritten(withoutIteration(g.ref))
	}
	out += fmt.Sprintf(": no rule and no data provide %s (%s has: %s)", rego.AsWritten(g.ref[:g.at+1]),
		rego.AsWritten(g.ref[:g.at]), there)
	if guess != "" {
		return out + "; did you mean " + guess + "?"
	}
	return out + "; if it comes with an optional bundle, say so by custom.optional_data in the metadata"
}

// suggestion is the whole reference that was probably meant, or empty.
func (g *missingRef) suggestion() string {
	name, ok := g.ref[g.at].Value.(ast.String)
	if !ok {
		return ""
	}
	near := suggest.Closest(string(name), g.siblings())
	if near == "" {
		return ""
	}
	meant := append(g.ref[:g.at:g.at], ast.StringTerm(near))
	return rego.AsWritten(withoutIteration(append(meant, g.ref[g.at+1:]...)))
}

// misspelt reports whether the missing element looks like a misspelling of one that is there. Short names count only
// when equal but for case: from and form, rps and rpm are different names.
func (g *missingRef) misspelt() bool {
	name, ok := g.ref[g.at].Value.(ast.String)
	word := strings.ToLower(string(name))
	return ok && slices.ContainsFunc(g.siblings(), func(has string) bool {
		has = strings.ToLower(has)
		return has == word || len(word) > 4 && suggest.Within(word, has, 1+len(word)/8)
	})
}

// withoutIteration is ref without the variables at its end, over which a rule iterates.
func withoutIteration(ref ast.Ref) ast.Ref {
	for len(ref) > 1 && !ast.IsConstant(ref[len(ref)-1].Value) {
		ref = ref[:len(ref)-1]
	}
	return ref
}

// undefinedLookup checks an object.get with a constant key. Where the object never has the key, or the key is a
// misspelling, the result is always the default.
func (l *dataTree) undefinedLookup(s *scope, c *call) string {
	if c.text != ast.ObjectGet.Name || len(c.args) < 3 {
		return ""
	}
	keys := l.program.keysOf(s, c.args[1])
	var refs []ast.Ref
	if keys == nil || !l.program.expandTerm(s, c.args[0], keys, maxBindingDepth, &refs) || len(refs) == 0 {
		return ""
	}
	cause := ""
	for _, ref := range refs {
		switch {
		case ref.HasPrefix(ast.InputRootRef):
			if s.logged || l.program.compiler.TypeEnv.GetByRef(ref) != nil {
				return ""
			}
			cause = fmt.Sprintf("undefined ref: object.get reads %s, which never is: it always gives its default%s",
				rego.AsWritten(ref), rego.InputHint(ref))
		default:
			g := l.missing(ref, maxRuleDepth)
			if g == nil || !g.misspelt() {
				return "" // the default shows that it may be absent
			}
			cause = g.message(ref, g.suggestion())
		}
	}
	return cause
}

// keysOf is the second argument of object.get as elements of a reference, or nil where it may be a key as well as a
// path.
func (p *Program) keysOf(s *scope, t *ast.Term) ast.Ref {
	if names := p.constants(s, t, maxBindingDepth); len(names) == 1 {
		t = names[0]
	}
	switch v := t.Value.(type) {
	case ast.String:
		return ast.Ref{t}
	case ast.Var:
		if of := p.typeOf(s, t).of; of != nil && term.KindsOf(of) == term.StringKind {
			return ast.Ref{t}
		}
	case *ast.Array:
		var out ast.Ref
		v.Foreach(func(e *ast.Term) { out = append(out, e) })
		return out
	}
	return nil
}
