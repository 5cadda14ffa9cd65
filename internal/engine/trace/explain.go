package trace

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// explainer turns what a tracer saw into an explanation.
type explainer struct {
	*Tracer
	resolver
	compiler *ast.Compiler
	sorted   []*ast.Rule
	// used is how many outcomes are written, and following are the evaluations on the way down to a cause.
	used      int
	following map[*moment]bool
}

const (
	// maxCauseDepth bounds how many rules are followed from one to the next, maxOutcomes how many there are in all,
	// and maxBodies how many bodies of one rule are shown as a cause.
	maxCauseDepth = 8
	maxOutcomes   = 200
	maxBodies     = 10
	// maxLibraryBodies is the same for rules of the library, of whose alternatives authors did not choose one.
	maxLibraryBodies = 2
	libraryPackage   = "data.sidecar."
)

// Explain says how the evaluation of the rule at entrypoint ended. allowed is set when its result allows.
func (t *Tracer) Explain(c *ast.Compiler, entrypoint ast.Ref, allowed Verdict, lookup Lookup) Explanation {
	x := &explainer{Tracer: t, compiler: c, resolver: resolver{lookup: lookup}, following: map[*moment]bool{}}
	x.sorted = t.sortedRules()
	x.hide = x.newHider()
	out := Explanation{}
	var last *ast.Rule
	out.Decided, last = x.decided(entrypoint)
	out.Held, out.Reasons = x.heldBy(last), x.origins()
	if allowed == Denied {
		out.WouldAllow = x.wouldAllow(entrypoint, maxCauseDepth)
	}
	out.Rules = x.allRules()
	if t.events > MaxEvents {
		out.Incomplete = fmt.Sprintf("the evaluation has more than %d events: rules may be absent below", MaxEvents)
	}
	return out
}

// Verdict says whether a result allows.
type Verdict uint8

// A result that cannot be read, or is none, is Unknown.
const (
	Unknown Verdict = iota
	Allowed
	Denied
)

// Place is a body of a rule without its outcome.
func Place(rule *ast.Rule) RuleOutcome {
	o := RuleOutcome{Rule: ruleName(rule)}
	switch {
	case rule.Default:
		o.Part = "default"
	case isElse(rule):
		o.Part = "else"
	}
	if rule.Location != nil {
		o.File, o.Row = rule.Location.File, rule.Location.Row
	}
	return o
}

func ruleName(rule *ast.Rule) string {
	return rule.Module.Package.Path.Extend(rule.Head.Ref().GroundPrefix()).String()
}

// isElse reports whether rule is the else of another.
func isElse(rule *ast.Rule) bool {
	if rule.Module == nil {
		return false
	}
	return !slices.Contains(rule.Module.Rules, rule)
}

// allRules are the outcomes of all bodies, without causes.
func (x *explainer) allRules() []RuleOutcome {
	var out []RuleOutcome
	for _, rule := range x.sorted {
		r, o := Place(rule), x.rules[rule]
		r.Fired = o.fired
		if !o.fired && o.furthest != nil {
			r.Failed = x.expr(o.furthest.failed)
		}
		out = append(out, r)
	}
	return out
}

// sortedRules are the rules that were evaluated, by file and row.
func (t *Tracer) sortedRules() []*ast.Rule {
	out := slices.DeleteFunc(slices.Collect(maps.Keys(t.rules)), func(r *ast.Rule) bool { return r.Location == nil })
	slices.SortFunc(out, func(a, b *ast.Rule) int {
		return cmp.Or(cmp.Compare(a.Location.File, b.Location.File), cmp.Compare(a.Location.Row, b.Location.Row),
			cmp.Compare(a.Location.Col, b.Location.Col))
	})
	return out
}

// expr is the expression of the policy that was evaluated at m.
func (x *explainer) expr(m *moment) *Expr {
	out := &Expr{Operands: x.operands(m)}
	if inner := withinEvery(m); inner != nil {
		out.Operands = append(out.Operands, x.operands(inner)...)
	}
	if m.times > 1 {
		out.Times = m.times
	}
	base := m.expr.BaseCogeneratedExpr()
	at := cmp.Or(base.Location, m.expr.Location)
	if at != nil {
		out.Text, out.File, out.Row = string(at.Text), at.File, at.Row
	}
	return out
}

// withinEvery is the first failure in the body of an "every", or nil.
func withinEvery(m *moment) *moment {
	if _, ok := m.expr.Terms.(*ast.Every); !ok {
		return nil
	}
	for frames := m.entered; len(frames) > 0; frames = append(frames[1:], frames[0].entered...) {
		if f := frames[0]; f.failed != nil && f.failed.expr != m.expr {
			return f.failed
		}
	}
	return nil
}

// outcome is a body with its expression and the causes of that, down to depth.
func (x *explainer) outcome(f *frame, depth int) RuleOutcome {
	x.used++
	out := Place(f.rule)
	out.Fired = f.fired
	m, into := f.failed, &out.Failed
	if f.fired {
		m, into = f.held, &out.Held
	}
	if m == nil || m.expr.Location == nil || m.expr.Location.File == "" || isTrue(m.expr) {
		return out
	}
	*into = x.expr(m)
	if depth > 0 && !x.following[m] {
		x.following[m] = true
		(*into).Causes = x.causes(m, f.fired, depth-1)
		delete(x.following, m)
	}
	return out
}

// isTrue reports whether an expression is the body of a rule without one.
func isTrue(e *ast.Expr) bool {
	t, ok := e.Terms.(*ast.Term)
	return ok && t.Value.Compare(ast.Boolean(true)) == 0
}

// bodies are all bodies of the rules at ref, without defaults, elses after what they are elses of.
func (x *explainer) bodies(ref ast.Ref) []*ast.Rule {
	var out []*ast.Rule
	for _, r := range x.compiler.GetRulesExact(ref) {
		for ; r != nil; r = r.Else {
			if !r.Default {
				out = append(out, r)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b *ast.Rule) int {
		return cmp.Or(cmp.Compare(a.Location.File, b.Location.File), cmp.Compare(a.Location.Row, b.Location.Row))
	})
	return out
}
