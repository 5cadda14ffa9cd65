package trace

import (
	"cmp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// group is one rule that an expression needed, with the evaluations of its bodies.
type group struct {
	name   string
	frames []*frame
}

func (g *group) fired() bool {
	return slices.ContainsFunc(g.frames, func(f *frame) bool { return f.fired })
}

// defaulted reports whether the value of the rule is its default: the other bodies failed.
func (g *group) defaulted() bool {
	others := false
	for _, f := range g.frames {
		if f.fired && !f.rule.Default {
			return false
		}
		others = others || !f.rule.Default
	}
	return others
}

// causes are the rules because of which the expression of m failed, or held. An expression fails when a rule that it
// needs is undefined, and under a "not" when that is defined. Where all are defined, their values made it fail; behind
// the value of a default are the bodies that failed.
func (x *explainer) causes(m *moment, held bool, depth int) []RuleOutcome {
	groups := x.needed(m)
	negated := m.expr.Negated
	var out []RuleOutcome
	for _, g := range groups {
		if !g.fired() && held == negated {
			out = append(out, x.failures(g, depth)...)
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, g := range groups {
		if g.fired() && (held != negated || !held) {
			out = append(out, x.holders(g, depth)...)
		}
	}
	return out
}

// holders are bodies that fired.
func (x *explainer) holders(g *group, depth int) []RuleOutcome {
	if g.defaulted() {
		others := slices.DeleteFunc(slices.Clone(g.frames), func(f *frame) bool { return f.rule.Default })
		return x.failures(&group{frames: others}, depth)
	}
	var out []RuleOutcome
	for _, f := range g.frames {
		if f.fired && len(out) < maxBodies && x.used < maxOutcomes {
			out = append(out, x.outcome(f, depth))
		}
	}
	return out
}

// failures are the bodies of a rule that is undefined, those that came closest to a value first. Bodies whose
// arguments did not match are left out unless there are no others.
func (x *explainer) failures(g *group, depth int) []RuleOutcome {
	type attempt struct {
		RuleOutcome
		score int
	}
	var all []attempt
	frames := slices.Clone(g.frames)
	slices.SortStableFunc(frames, func(a, b *frame) int { return cmp.Compare(b.passed(), a.passed()) })
	for _, f := range frames[:min(len(frames), 2*maxBodies)] {
		if x.used < maxOutcomes {
			o := x.outcome(f, depth)
			all = append(all, attempt{o, score(f, o)})
		}
	}
	slices.SortStableFunc(all, func(a, b attempt) int { return cmp.Compare(b.score, a.score) })
	var out []RuleOutcome
	for _, a := range all {
		if a.Failed != nil || len(out) == 0 {
			out = append(out, a.RuleOutcome)
		}
	}
	if len(out) > 0 && strings.HasPrefix(out[0].Rule, libraryPackage) {
		return out[:min(len(out), maxLibraryBodies)]
	}
	return out[:min(len(out), maxBodies)]
}

// score tells which of two bodies came closer to a value: the one whose failure is further down, or which failed on
// values rather than on something undefined.
func score(f *frame, o RuleOutcome) int {
	if f.failed == nil || o.Failed == nil {
		return 0
	}
	s := 10 + 4*min(8, f.passed())
	if !slices.ContainsFunc(o.Failed.Operands, func(o Operand) bool { return o.Undefined }) {
		s++
	}
	if slices.ContainsFunc(o.Failed.Causes, func(o RuleOutcome) bool { return o.Failed != nil || o.Held != nil }) {
		s += 2
	}
	return s
}

// passed counts the expressions of the policy in the body of a rule before the one that failed. It is -1 when the
// arguments of a call did not match.
func (f *frame) passed() int {
	if f.failed == nil {
		return -1
	}
	n := 0
	var last *ast.Expr
	for _, e := range f.rule.Body {
		base := e.BaseCogeneratedExpr()
		if base == f.failed.expr.BaseCogeneratedExpr() {
			break
		}
		if base != last {
			n, last = n+1, base
		}
	}
	return n
}

// needed are the rules that were evaluated for the expression of m. What had been evaluated before has its value kept
// by OPA, so that it is not evaluated again: then the rules that the expression names are looked up.
func (x *explainer) needed(m *moment) []*group {
	var out []*group
	add := func(f *frame) {
		name := ruleName(f.rule)
		for _, g := range out {
			if g.name == name {
				if !slices.Contains(g.frames, f) {
					g.frames = append(g.frames, f)
				}
				return
			}
		}
		out = append(out, &group{name, []*frame{f}})
	}
	eachRule(m.entered, add)
	for _, n := range named(m.expr) {
		known := slices.ContainsFunc(out, func(g *group) bool { return strings.HasPrefix(g.name, n.ref.String()) })
		if known {
			continue
		}
		for _, rule := range x.bodies(n.ref) {
			if f := x.evaluated(rule, m, n); f != nil {
				add(f)
			}
		}
	}
	return out
}

// eachRule calls yield with the evaluations of rules among frames, and those in bodies within the expression.
func eachRule(frames []*frame, yield func(*frame)) {
	for _, f := range frames {
		if f.rule != nil {
			yield(f)
			continue
		}
		if f.failed != nil {
			eachRule(f.failed.entered, yield)
		}
		eachRule(f.entered, yield)
	}
}

// name is a rule that an expression names, with the number of its arguments when it is a function.
type name struct {
	ref  ast.Ref
	args []*ast.Term
}

// named are the rules that an expression names.
func named(e *ast.Expr) []name {
	var out []name
	base := e.BaseCogeneratedExpr()
	for _, part := range append(base.CogeneratedExprs(), base) {
		var operator ast.Ref
		if part.IsCall() {
			operator = part.Operator()
			if operator.HasPrefix(ast.DefaultRootRef) {
				out = append(out, name{operator, part.Operands()})
			}
		}
		ast.WalkRefs(part, func(ref ast.Ref) bool {
			if ref.HasPrefix(ast.DefaultRootRef) && !ref.Equal(operator) {
				out = append(out, name{ref: ref.GroundPrefix()})
			}
			return false
		})
	}
	return out
}

// evaluated is the evaluation of a body that counts for the expression of m: of a function, the one with the same
// arguments.
func (x *explainer) evaluated(rule *ast.Rule, m *moment, n name) *frame {
	o := x.rules[rule]
	if o == nil {
		return nil
	}
	for _, f := range o.frames {
		switch {
		case len(rule.Head.Args) == 0 && f.fired == o.fired:
			return f
		case len(rule.Head.Args) > 0 && sameArguments(f, m, n):
			return f
		}
	}
	return nil
}

// sameArguments reports whether f was called with the operands of m. An argument whose value was not kept is taken for
// the same.
func sameArguments(f *frame, m *moment, n name) bool {
	called := cmp.Or(f.failed, f.held)
	if called == nil {
		return false
	}
	for i, arg := range called.args {
		if i >= len(n.args) || !arg.IsGround() {
			continue
		}
		for _, o := range m.operands {
			if o.text == textOf(n.args[i]) && o.term.IsGround() && !hasRef(o.term) && !o.term.Equal(arg) {
				return false
			}
		}
	}
	return true
}
