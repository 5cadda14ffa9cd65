package trace

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// wanted is a reason whose rule is looked for.
type wanted struct {
	value ast.Value
	code  string
	rule  *ast.Rule
	rank  int
}

// maxReasons bounds the reasons whose rules are looked for.
const maxReasons = 50

// plainCode is the code of a reason that is a text.
const plainCode = "denied"

// reasonsOf are the reasons of a result.
func reasonsOf(result ast.Value) []wanted {
	o, ok := result.(ast.Object)
	if !ok {
		return nil
	}
	reasons := term.Member(o, "reasons")
	if reasons == nil {
		return nil
	}
	list, err := term.List(reasons)
	if err != nil {
		return nil
	}
	var out []wanted
	for _, t := range list {
		w := wanted{value: t.Value, code: plainCode, rank: unranked}
		if o, ok := t.Value.(ast.Object); ok {
			w.code, _ = term.Text(term.Member(o, "code"))
		}
		if out = append(out, w); len(out) == maxReasons {
			break
		}
	}
	return out
}

// A rule whose value is the reason made it; one whose value has it within may have taken it from there. Functions that
// give reasons their form come after both. Among equals the first to end is the origin.
const (
	maxDepth   = 3
	ofFunction = maxDepth + 1
	unranked   = 2 * ofFunction
)

// findReasons looks for reasons in the value of a rule.
func (t *Tracer) findReasons(rule *ast.Rule, e topdown.Event) {
	made := rule.Head.Value
	if rule.Head.RuleKind() == ast.MultiValue {
		made = rule.Head.Key
	}
	if made == nil || made.Value == nil {
		return
	}
	made = e.Plug(made)
	for i := range t.reasons {
		w := &t.reasons[i]
		rank := depthOf(w.value, made, 0)
		if rank >= 0 && len(rule.Head.Args) > 0 {
			rank += ofFunction
		}
		if rank >= 0 && rank < w.rank {
			w.rule, w.rank = rule, rank
		}
	}
}

// depthOf is how deep v is within t, or -1.
func depthOf(v ast.Value, t *ast.Term, depth int) int {
	if t.Value.Compare(v) == 0 {
		return depth
	}
	if depth == maxDepth {
		return -1
	}
	found := -1
	look := func(t *ast.Term) bool {
		found = depthOf(v, t, depth+1)
		return found >= 0
	}
	switch c := t.Value.(type) {
	case *ast.Array:
		c.Until(look)
	case ast.Set:
		c.Until(look)
	case ast.Object:
		c.Until(func(_, t *ast.Term) bool { return look(t) })
	}
	return found
}

// origins are the rules of the reasons that were found.
func (x *explainer) origins() []Reason {
	var out []Reason
	for _, w := range x.reasons {
		if w.rule == nil {
			continue
		}
		o := Place(w.rule)
		for _, f := range x.rules[w.rule].frames {
			if f.fired {
				o = x.outcome(f, maxCauseDepth)
				break
			}
		}
		out = append(out, Reason{Code: w.code, Rule: o.Rule, Part: o.Part, File: o.File, Row: o.Row, Held: o.Held})
	}
	return out
}
