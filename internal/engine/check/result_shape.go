package check

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
	"github.com/authz-sidecar/sidecar/internal/engine/verdict"
)

// CodeResult is the code of problems with the results of entrypoints.
const CodeResult = "result_error"

// maxResultDepth bounds how many rules are followed to the value of a result.
const maxResultDepth = 6

// resultProblems finds rules of an entrypoint whose value can never be read as a decision. Each body is checked by
// itself: one with a wrong value is a problem, whatever the values of the others.
func (p *Program) resultProblems(path string) bundle.Problems {
	j := &shapeChecker{program: p, path: "data." + rego.Dotted(path), seen: map[*ast.Rule]bool{}}
	j.rules(p.compiler.GetRulesExact(rego.RefOf(path)), verdict.ResultShape(), "", maxResultDepth)
	return j.problems
}

// shapeChecker compares the value of a rule with the shape of a result.
type shapeChecker struct {
	program  *Program
	path     string
	seen     map[*ast.Rule]bool
	problems bundle.Problems
}

func (j *shapeChecker) rules(rules []*ast.Rule, sh *verdict.Shape, at string, depth int) {
	for _, r := range rules {
		for ; r != nil; r = r.Else {
			s := j.program.of[r]
			if s == nil || j.seen[r] || depth == 0 {
				continue
			}
			j.seen[r] = true
			if r.Head.RuleKind() == ast.MultiValue {
				j.wrong(r.Location, at, fmt.Sprintf("is a set, want %s", sh.Want), sh.Kinds&term.SetKind == 0)
				continue
			}
			if r.Ref().IsGround() {
				j.term(s, r.Head.Value, sh, at, depth)
			}
		}
	}
}

// wrong adds a problem if is is set.
func (j *shapeChecker) wrong(loc *ast.Location, at, cause string, is bool) {
	if !is {
		return
	}
	where := "the result of " + j.path
	if at != "" {
		where = at + " of " + where
	}
	j.problems = append(j.problems, rego.ProblemAt(loc, CodeResult, "%s %s", where, cause))
}

// locationOf is the location of a term, or of its rule where the compiler made the term.
func locationOf(s *scope, t *ast.Term) *ast.Location {
	if t.Location != nil && t.Location.File != "" {
		return t.Location
	}
	return s.rule.Location
}

// term checks one term, as far as it is known before a request.
func (j *shapeChecker) term(s *scope, t *ast.Term, sh *verdict.Shape, at string, depth int) {
	if ast.IsConstant(t.Value) {
		j.constant(s, t, sh, at, depth)
		return
	}
	switch v := t.Value.(type) {
	case ast.Var:
		if bound := s.bound[v]; bound != nil && depth > 0 {
			j.term(s, bound, sh, at, depth-1)
			return
		}
	case ast.Ref:
		if rules := j.program.compiler.GetRulesExact(v); len(rules) > 0 && len(rules[0].Head.Args) == 0 {
			before := len(j.problems)
			j.rules(rules, sh, at, depth-1)
			if len(j.problems) > before {
				return
			}
		}
	case ast.Object:
		j.object(s, t, v, sh, at, depth)
		return
	case *ast.Array:
		if j.kind(s, t, term.ArrayKind, sh, at) {
			j.elements(s, v, sh, at, depth)
		}
		return
	case ast.Set:
		if j.kind(s, t, term.SetKind, sh, at) {
			j.elements(s, v, sh, at, depth)
		}
		return
	}
	if cause := sh.Refuses(j.program.inferredType(s, t)); cause != "" {
		j.wrong(locationOf(s, t), at, cause, true)
	}
}

// kind reports whether the shape allows a kind, and adds a problem where it does not.
func (j *shapeChecker) kind(s *scope, t *ast.Term, is term.Kinds, sh *verdict.Shape, at string) bool {
	j.wrong(locationOf(s, t), at, fmt.Sprintf("is %s, want %s", is, sh.Want), sh.Kinds&is == 0)
	return sh.Kinds&is != 0
}

// constant checks a value with the reader of results, after its parts, so that a problem has the location of the part.
func (j *shapeChecker) constant(s *scope, t *ast.Term, sh *verdict.Shape, at string, depth int) {
	if !j.kind(s, t, term.KindsOf(j.program.compiler.TypeEnv.GetByValue(t.Value)), sh, at) {
		return
	}
	before := len(j.problems)
	switch v := t.Value.(type) {
	case ast.Object:
		j.object(s, t, v, sh, at, depth)
	case *ast.Array:
		j.elements(s, v, sh, at, depth)
	case ast.Set:
		j.elements(s, v, sh, at, depth)
	}
	if sh.Check == nil || len(j.problems) > before {
		return
	}
	if err := sh.Check(t.Value); err != nil {
		j.wrong(locationOf(s, t), at, fmt.Sprintf("%v, want %s", err, sh.Want), true)
	}
}

// foreach is an array or a set.
type foreach interface{ Foreach(func(*ast.Term)) }

// elements checks each element of a list.
func (j *shapeChecker) elements(s *scope, list foreach, sh *verdict.Shape, at string, depth int) {
	if sh.Each != nil {
		list.Foreach(func(e *ast.Term) { j.term(s, e, sh.Each, element(at), depth) })
	}
}

// object checks the members of an object whose names are constants.
func (j *shapeChecker) object(s *scope, t *ast.Term, o ast.Object, sh *verdict.Shape, at string, depth int) {
	if !j.kind(s, t, term.ObjectKind, sh, at) {
		return
	}
	has, all, before := false, true, len(j.problems)
	o.Foreach(func(k, value *ast.Term) {
		if !ast.IsConstant(k.Value) {
			all = false
			return
		}
		name, err := term.MemberName(k)
		has = has || name == sh.Required
		switch m := sh.Named(name); {
		case err != nil && !sh.Open && len(sh.Members) > 0:
			j.wrong(locationOf(s, k), at, err.Error(), true)
		case m != nil:
			j.term(s, value, &m.Shape, within(at, name), depth)
		case len(sh.Members) > 0 && !sh.Open:
			j.wrong(locationOf(s, k), at, "has an "+sh.UnknownMember(name).Error(), true)
		case sh.Each != nil:
			if err := verdict.CheckHeaderName(k.Value); err != nil {
				j.wrong(locationOf(s, k), at, err.Error(), true)
			}
			j.term(s, value, sh.Each, within(at, name), depth)
		}
	})
	lacks := sh.Required != "" && !has && all && len(j.problems) == before
	j.wrong(locationOf(s, t), at, "has no "+sh.Required+", which is required", lacks)
}

func within(at, name string) string {
	switch {
	case at == "":
		return name
	case strings.HasPrefix(at, anElement):
		return name + " of " + at
	}
	return at + "." + name
}

const anElement = "an element of "

func element(at string) string { return anElement + at }
