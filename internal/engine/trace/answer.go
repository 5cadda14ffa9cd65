package trace

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// decided leads from the entrypoint to the rule whose value the answer is, or that chose it: rules without conditions
// on the way are left out.
func (x *explainer) decided(entrypoint ast.Ref) (out []RuleOutcome, last *ast.Rule) {
	for ref, depth := entrypoint, 0; ref != nil && depth < maxCauseDepth; depth++ {
		rule := x.firedBody(ref)
		if rule == nil {
			break
		}
		if len(out) == 0 || !x.unconditional(ref, rule) {
			last = rule
			o := Place(rule)
			o.Fired = true
			out = append(out, o)
		}
		behind := x.answerRules(rule)
		ref = nil
		if len(behind) == 1 && len(x.bodies(behind[0])) > 0 {
			ref = behind[0]
		}
	}
	return out, last
}

// unconditional reports whether the rule at ref is one "name := value": the compiler alone gave it a body.
func (x *explainer) unconditional(ref ast.Ref, rule *ast.Rule) bool {
	if all := x.compiler.GetRulesExact(ref); len(all) != 1 || all[0] != rule || rule.Else != nil {
		return false
	}
	return !slices.ContainsFunc(rule.Body, func(e *ast.Expr) bool {
		t, ok := e.Terms.(*ast.Term)
		return !e.Generated && !(ok && t.Value == ast.Boolean(true))
	})
}

// heldBy are the bodies that fired of the rules that a body names, in its order, without those under a "not".
func (x *explainer) heldBy(rule *ast.Rule) []RuleOutcome {
	if rule == nil {
		return nil
	}
	var out []RuleOutcome
	seen := map[*ast.Rule]bool{}
	for _, e := range rule.Body {
		if e.Negated {
			continue
		}
		for _, n := range named(e) {
			for _, needed := range x.bodies(n.ref) {
				if o := x.rules[needed]; o != nil && o.fired && !seen[needed] && len(out) < maxBodies {
					seen[needed] = true
					p := Place(needed)
					p.Fired = true
					out = append(out, p)
				}
			}
		}
	}
	return out
}

// firedBody is the first body at ref that fired: others have the same value. It is the default when none did, and nil
// for a rule that was not evaluated, or whose value is made by parts.
func (x *explainer) firedBody(ref ast.Ref) *ast.Rule {
	for _, r := range x.bodies(ref) {
		if r.Head.RuleKind() == ast.MultiValue || len(r.Head.Args) > 0 || !r.Ref().IsGround() {
			return nil
		}
		if o := x.rules[r]; o != nil && o.fired {
			return r
		}
	}
	for _, r := range x.compiler.GetRulesExact(ref) {
		if o := x.rules[r]; r.Default && o != nil && o.fired {
			return r
		}
	}
	return nil
}

// wouldAllow are the outcomes of the bodies at ref whose value can allow, those that came closest first. Where a body
// has fired, and its answer is that of another rule, they are those of that rule.
func (x *explainer) wouldAllow(ref ast.Ref, depth int) []RuleOutcome {
	var out []RuleOutcome
	failed := &group{}
	for _, rule := range x.bodies(ref) {
		o := x.rules[rule]
		if o == nil || len(o.frames) == 0 || !canAllow(rule) || x.used >= maxOutcomes {
			continue
		}
		if !o.fired {
			f := o.furthest
			if f == nil {
				f = o.frames[0]
			}
			failed.frames = append(failed.frames, f)
			continue
		}
		before := len(out)
		if depth > 0 {
			for _, behind := range x.answerRules(rule) {
				out = append(out, x.wouldAllow(behind, depth-1)...)
			}
		}
		if len(out) == before && !isConstantAnswer(rule) { // the answer is made here, of values
			out = append(out, x.outcome(o.frames[0], maxCauseDepth))
		}
	}
	return append(out, x.failures(failed, maxCauseDepth)...)
}

// answer is the term of a rule's value that says whether the request is allowed: the member allow of an object, or the
// value itself.
func answer(rule *ast.Rule) *ast.Term {
	t := rule.Head.Value
	if t == nil {
		return nil
	}
	if v, ok := t.Value.(ast.Var); ok {
		if bound := boundTo(rule, v); bound != nil {
			t = bound
		}
	}
	if o, ok := t.Value.(ast.Object); ok {
		return o.Get(ast.InternedTerm("allow"))
	}
	return t
}

// boundTo is the object that a body unifies with a variable, or nil.
func boundTo(rule *ast.Rule, v ast.Var) *ast.Term {
	for _, e := range rule.Body {
		if !e.IsEquality() {
			continue
		}
		for i := range 2 {
			if e.Operand(i).Value.Compare(v) == 0 {
				if _, ok := e.Operand(1 - i).Value.(ast.Object); ok {
					return e.Operand(1 - i)
				}
			}
		}
	}
	return nil
}

// canAllow reports whether the value of a body may allow.
func canAllow(rule *ast.Rule) bool {
	t := answer(rule)
	return t != nil && t.Value.Compare(ast.Boolean(false)) != 0
}

func isConstantAnswer(rule *ast.Rule) bool {
	t := answer(rule)
	return t == nil || ast.IsConstant(t.Value)
}

// answerRules are the rules without arguments that the answer of a body is taken from, directly or through variables.
func (x *explainer) answerRules(rule *ast.Rule) []ast.Ref {
	t := answer(rule)
	if t == nil {
		return nil
	}
	var out []ast.Ref
	terms := []*ast.Term{t}
	seen := map[ast.Var]bool{}
	for len(terms) > 0 {
		t, terms = terms[0], terms[1:]
		ast.WalkRefs(t, func(ref ast.Ref) bool {
			for n := len(ref.GroundPrefix()); n > 1; n-- {
				rules := x.compiler.GetRulesExact(ref[:n])
				if len(rules) > 0 && len(rules[0].Head.Args) == 0 {
					out = append(out, ref[:n])
					break
				}
			}
			return false
		})
		ast.WalkVars(t, func(v ast.Var) bool {
			if !seen[v] {
				seen[v] = true
				terms = append(terms, sources(rule, v)...)
			}
			return false
		})
	}
	slices.SortStableFunc(out, func(a, b ast.Ref) int { return a.Compare(b) })
	return slices.CompactFunc(out, func(a, b ast.Ref) bool { return a.Equal(b) })
}

// sources are the terms that a body makes the value of a variable of.
func sources(rule *ast.Rule, v ast.Var) []*ast.Term {
	var out []*ast.Term
	for _, e := range rule.Body {
		if !e.IsCall() || e.Negated {
			continue
		}
		ops := e.Operands()
		last := len(ops) - 1
		for i, o := range ops {
			if o.Value.Compare(v) == 0 && (e.IsEquality() || i == last) {
				out = append(append(out, ops[:i]...), ops[i+1:]...)
			}
		}
	}
	return out
}
