package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/suggest"
)

const codeReference = "reference_error"

// deepestValue bounds how far the values of rules are followed.
const deepestValue = 8

// unmet finds the references that nothing can meet: OPA takes them for undefined, and under "not" they allow. Behind a
// variable only what looks like a misspelling is told, for data may lack a member today.
func (l *landscape) unmet(optional map[*ast.Rule][]ast.Ref) bundle.Problems {
	var out bundle.Problems
	replaced := l.program.replacements()
	for _, s := range l.program.scopes {
		visitRefs(s.rule, func(t *ast.Term, ref ast.Ref, at *ast.Location) {
			if replaced.cover(t, ref) {
				return
			}
			if cause := l.unmetCause(s, ref, optional[s.root]); cause != "" {
				out = append(out, problemAt(at, codeReference, "%s", cause))
			}
		})
		visitCalls(s.rule, func(name ast.Ref, args []*ast.Term, at *ast.Location) {
			if cause := l.unmetLookup(s, name, args); cause != "" {
				out = append(out, problemAt(at, codeReference, "%s", cause))
			}
		})
	}
	return out.Sorted()
}

// replacements are the targets of every with under data, and what is read besides. A target provides what is read, so that
// rules may hand each other values; a target that is neither provided nor read is a misspelling.
type replacements struct {
	targets map[*ast.Term]ast.Ref
	reads   []ast.Ref
}

func (p *program) replacements() replacements {
	out := replacements{targets: map[*ast.Term]ast.Ref{}}
	for _, s := range p.scopes {
		ast.WalkWiths(s.rule, func(w *ast.With) bool {
			if ref, ok := w.Target.Value.(ast.Ref); ok && ref.HasPrefix(ast.DefaultRootRef) {
				out.targets[w.Target] = ref
			}
			return false
		})
	}
	if len(out.targets) == 0 {
		return out
	}
	for _, s := range p.scopes {
		visitRefs(s.rule, func(t *ast.Term, ref ast.Ref, _ *ast.Location) {
			if out.targets[t] == nil && ref.HasPrefix(ast.DefaultRootRef) {
				out.reads = append(out.reads, ref)
			}
		})
	}
	return out
}

// cover reports whether a with provides ref, or ref is a target that something reads.
func (r replacements) cover(t *ast.Term, ref ast.Ref) bool {
	if r.targets[t] != nil {
		return slices.ContainsFunc(r.reads, func(read ast.Ref) bool { return read.HasPrefix(ref) || ref.HasPrefix(read) })
	}
	for _, target := range r.targets {
		if ref.HasPrefix(target) {
			return true
		}
	}
	return false
}

// unmetCause says why nothing meets ref, or nothing.
func (l *landscape) unmetCause(s *scope, ref ast.Ref, optional []ast.Ref) string {
	refs, ok := l.program.expansions(s, ref)
	if !ok || len(refs) == 0 {
		return ""
	}
	cause := ""
	for _, r := range refs {
		c := l.unmetRef(s, r, ast.RootDocumentNames.Contains(ref[0]), optional)
		if c == "" {
			return "" // one of what it stands for is enough
		}
		cause = c
	}
	return cause
}

func (l *landscape) unmetRef(s *scope, ref ast.Ref, direct bool, optional []ast.Ref) string {
	if ref.HasPrefix(ast.InputRootRef) {
		// OPA's own type check has seen what begins with input, but for what callers hand to a function.
		if direct || isLogPolicy(s.rule) || l.program.compiler.TypeEnv.GetByRef(ref) != nil {
			return ""
		}
		return fmt.Sprintf("undefined ref: %s, which a caller hands over, has no such member", shown(ref))
	}
	g := l.missing(ref, deepestValue)
	if g == nil || l.declared(ref, optional) {
		return ""
	}
	guess := guessOf(ref, g)
	if !g.sure && guess == "" {
		return ""
	}
	return complaint(ref, g, guess)
}

// complaint says what ref lacks, what is there, and what was probably meant.
func complaint(ref ast.Ref, g *gap, guess string) string {
	ref = written(ref)
	there := "nothing"
	if len(g.has) > 0 {
		there = strings.Join(g.has[:min(len(g.has), 12)], ", ")
		if len(g.has) > 12 {
			there += fmt.Sprintf(" and %d more", len(g.has)-12)
		}
	}
	out := fmt.Sprintf("undefined ref: %s: no rule and no data provide %s (%s has: %s)", shown(ref), shown(ref[:g.at+1]), shown(ref[:g.at]), there)
	if guess != "" {
		return out + "; did you mean " + guess + "?"
	}
	return out + "; if it comes with an optional bundle, say so by custom.optional_data in the metadata"
}

// guessOf is what the element that is not there was probably meant to be.
func guessOf(ref ast.Ref, g *gap) string {
	name, ok := ref[g.at].Value.(ast.String)
	if !ok {
		return ""
	}
	near := suggest.Closest(string(name), g.has)
	if near == "" {
		return ""
	}
	meant := append(ref[:g.at:g.at], ast.StringTerm(near))
	return shown(written(append(meant, ref[g.at+1:]...)))
}

// written is ref without the variables at its end: those of an iteration.
func written(ref ast.Ref) ast.Ref {
	for len(ref) > 1 && !ast.IsConstant(ref[len(ref)-1].Value) {
		ref = ref[:len(ref)-1]
	}
	return ref
}

// shown is ref as an author writes it: variables of the compiler are blanks.
func shown(ref ast.Ref) string {
	out := make(ast.Ref, len(ref))
	for i, t := range ref {
		out[i] = t
		if i > 0 && !ast.IsConstant(t.Value) {
			out[i] = ast.VarTerm("_")
		}
	}
	return out.String()
}

// unmetLookup looks at object.get with a constant name: where the object can have no such member, or where the name is a
// misspelling, the answer is always the default.
func (l *landscape) unmetLookup(s *scope, name ast.Ref, args []*ast.Term) string {
	if name.String() != ast.ObjectGet.Name || len(args) < 3 {
		return ""
	}
	keys := pathOfLookup(args[1])
	var refs []ast.Ref
	if keys == nil || !l.program.expandTerm(s, args[0], keys, deepestChain, &refs) || len(refs) == 0 {
		return ""
	}
	cause := ""
	for _, ref := range refs {
		switch {
		case ref.HasPrefix(ast.InputRootRef):
			if isLogPolicy(s.rule) || l.program.compiler.TypeEnv.GetByRef(ref) != nil {
				return ""
			}
			cause = fmt.Sprintf("undefined ref: object.get reads %s, which never is: it always gives its default%s", shown(ref), inputHint(ref))
		default:
			g := l.missing(ref, deepestValue)
			if g == nil || guessOf(ref, g) == "" {
				return "" // a default says that it may be absent
			}
			cause = complaint(ref, g, guessOf(ref, g))
		}
	}
	return cause
}

// pathOfLookup is the second argument of object.get as the elements of a reference.
func pathOfLookup(t *ast.Term) ast.Ref {
	switch v := t.Value.(type) {
	case ast.String:
		return ast.Ref{t}
	case *ast.Array:
		var out ast.Ref
		v.Foreach(func(e *ast.Term) { out = append(out, e) })
		return out
	}
	return nil
}

// isLogPolicy reports whether the input of a rule is an event of the decision log.
func isLogPolicy(r *ast.Rule) bool {
	return r.Module != nil && strings.HasPrefix(r.Module.Package.Path.String(), "data.system.log")
}

func problemAt(at *ast.Location, code, format string, args ...any) bundle.Problem {
	p := bundle.Problem{File: "policies", Code: code, Message: fmt.Sprintf(format, args...)}
	if at != nil {
		p.File, p.Row, p.Col = at.File, at.Row, max(1, at.Col)
	}
	return p
}
