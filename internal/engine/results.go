package engine

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

const codeResult = "result_error"

// deepestResult bounds how far the value of a rule is followed through other rules.
const deepestResult = 6

// illShaped finds the rules of an entrypoint whose value could not be read as a decision at any request. Each body of a rule is
// judged by itself: one that always gives a wrong value is a problem, whatever the others give.
func (p *program) illShaped(path string) bundle.Problems {
	j := &judge{program: p, path: "data." + dotted(path), seen: map[*ast.Rule]bool{}}
	j.rules(p.compiler.GetRulesExact(refOf(path)), &resultShape, "", deepestResult)
	return j.problems
}

// judge compares what an author wrote with the shape of a result.
type judge struct {
	program  *program
	path     string
	seen     map[*ast.Rule]bool
	problems bundle.Problems
}

func (j *judge) rules(rules []*ast.Rule, sh *shape, at string, depth int) {
	for _, r := range rules {
		for ; r != nil; r = r.Else {
			s := j.program.of[r]
			if s == nil || j.seen[r] || depth == 0 {
				continue
			}
			j.seen[r] = true
			if r.Head.RuleKind() == ast.MultiValue {
				j.wrong(r.Location, at, fmt.Sprintf("is a set, want %s", sh.want), sh.kinds&setKind == 0)
				continue
			}
			if r.Ref().IsGround() {
				j.term(s, r.Head.Value, sh, at, depth)
			}
		}
	}
}

// wrong adds a problem where it is one.
func (j *judge) wrong(loc *ast.Location, at, cause string, is bool) {
	if !is {
		return
	}
	where := "the result of " + j.path
	if at != "" {
		where = at + " of " + where
	}
	j.problems = append(j.problems, problemAt(loc, codeResult, "%s %s", where, cause))
}

// place is where a term is written, or where its rule is.
func place(s *scope, t *ast.Term) *ast.Location {
	if t.Location != nil && t.Location.File != "" {
		return t.Location
	}
	return s.rule.Location
}

// term judges one term, as far as it is known before a request comes.
func (j *judge) term(s *scope, t *ast.Term, sh *shape, at string, depth int) {
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
		if j.kind(s, t, arrayKind, sh, at) {
			j.elements(s, v, sh, at, depth)
		}
		return
	case ast.Set:
		if j.kind(s, t, setKind, sh, at) {
			j.elements(s, v, sh, at, depth)
		}
		return
	}
	if cause := sh.refuses(j.program.local(s, t)); cause != "" {
		j.wrong(place(s, t), at, cause, true)
	}
}

// kind reports whether the shape takes values of a kind, and adds a problem where it does not.
func (j *judge) kind(s *scope, t *ast.Term, is kinds, sh *shape, at string) bool {
	j.wrong(place(s, t), at, fmt.Sprintf("is %s, want %s", is, sh.want), sh.kinds&is == 0)
	return sh.kinds&is != 0
}

// constant judges a value by the reader that would read it at a request, and first its parts, so that the place is exact.
func (j *judge) constant(s *scope, t *ast.Term, sh *shape, at string, depth int) {
	if !j.kind(s, t, kindsOf(j.program.compiler.TypeEnv.GetByValue(t.Value)), sh, at) {
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
	if sh.check == nil || len(j.problems) > before {
		return
	}
	if err := sh.check(t.Value); err != nil {
		j.wrong(place(s, t), at, fmt.Sprintf("%v, want %s", err, sh.want), true)
	}
}

// elements judges each element of a list.
func (j *judge) elements(s *scope, list interface{ Foreach(func(*ast.Term)) }, sh *shape, at string, depth int) {
	if sh.each != nil {
		list.Foreach(func(e *ast.Term) { j.term(s, e, sh.each, element(at), depth) })
	}
}

// object judges the members of an object whose names are known.
func (j *judge) object(s *scope, t *ast.Term, o ast.Object, sh *shape, at string, depth int) {
	if !j.kind(s, t, objectKind, sh, at) {
		return
	}
	has, all, before := false, true, len(j.problems)
	o.Foreach(func(k, value *ast.Term) {
		if !ast.IsConstant(k.Value) {
			all = false
			return
		}
		name, err := nameOf(k)
		has = has || name == sh.required
		switch m := sh.named(name); {
		case err != nil && !sh.open && len(sh.members) > 0:
			j.wrong(place(s, k), at, err.Error(), true)
		case m != nil:
			j.term(s, value, &m.shape, within(at, name), depth)
		case len(sh.members) > 0 && !sh.open:
			j.wrong(place(s, k), at, "has an "+sh.unknownMember(name).Error(), true)
		case sh.each != nil:
			if err := headerName(k.Value); err != nil {
				j.wrong(place(s, k), at, err.Error(), true)
			}
			j.term(s, value, sh.each, within(at, name), depth)
		}
	})
	j.wrong(place(s, t), at, "has no "+sh.required+", which is required", sh.required != "" && !has && all && len(j.problems) == before)
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

// local is the type of a term of a rule, as OPA infers it.
func (p *program) local(s *scope, t *ast.Term) types.Type {
	array, ok := p.compiler.TypeEnv.GetByValue(&ast.ArrayComprehension{Term: ast.ArrayTerm(t), Body: s.rule.Body}).(*types.Array)
	if !ok || array == nil {
		return nil
	}
	if inner, ok := array.Dynamic().(*types.Array); ok && inner.Len() == 1 {
		return inner.Select(0)
	}
	return nil
}

// refuses says why no value of type t can be of the shape, or nothing. A type that may be several things is refused only when
// all of them are.
func (s *shape) refuses(t types.Type) string {
	switch t := unnamed(t).(type) {
	case nil:
		return ""
	case types.Any:
		cause := ""
		for _, one := range t {
			if cause = s.refuses(one); cause == "" {
				return ""
			}
		}
		return cause
	case *types.Object:
		if s.kinds&objectKind != 0 {
			return s.refusesObject(t)
		}
	case *types.Array:
		if s.kinds&arrayKind != 0 && s.each != nil && t.Len() == 0 && t.Dynamic() != nil {
			return inElement(s.each.refuses(t.Dynamic()))
		}
	case *types.Set:
		if s.kinds&setKind != 0 && s.each != nil && t.Of() != nil {
			return inElement(s.each.refuses(t.Of()))
		}
	}
	if k := kindsOf(t); k&s.kinds == 0 {
		return fmt.Sprintf("is %s, want %s", k, s.want)
	}
	return ""
}

// refusesObject judges the members that an object surely has.
func (s *shape) refusesObject(t *types.Object) string {
	for _, p := range t.StaticProperties() {
		name, ok := p.Key.(string)
		m := s.named(name)
		switch {
		case !ok:
		case m != nil:
			if cause := m.shape.refuses(p.Value); cause != "" {
				return "has a member " + name + " that " + cause
			}
		case len(s.members) > 0 && !s.open:
			return "has an " + s.unknownMember(name).Error()
		case s.each != nil:
			if cause := s.each.refuses(p.Value); cause != "" {
				return fmt.Sprintf("has a member %q that %s", name, cause)
			}
		}
	}
	if s.required != "" && t.DynamicProperties() == nil && t.Select(s.required) == nil {
		return "has no " + s.required + ", which is required"
	}
	return ""
}

func inElement(cause string) string {
	if cause == "" {
		return ""
	}
	return "has elements of which each " + strings.TrimPrefix(cause, "each ")
}

func unnamed(t types.Type) types.Type {
	if named, ok := t.(*types.NamedType); ok {
		return named.Type
	}
	return t
}
