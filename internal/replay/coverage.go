package replay

import "github.com/authz-sidecar/sidecar/internal/engine"

// reach follows some evaluations of the candidate.
type reach struct {
	policy *engine.Policy
	rules  *engine.Reach
}

// newReach makes s follow evaluations.
func newReach(s *shared) *reach {
	r := &reach{policy: s.candidate}
	s.followed, r.rules = s.candidate.Reached()
	return r
}

// coverage says what the decisions of t reached. That of a nil reach says nothing of rules.
func (r *reach) coverage(t *tally) Coverage {
	out := Coverage{Entrypoints: []Count{}, Unreached: []Rule{}, Decisions: t.followed}
	for _, path := range t.o.Candidate.Policy.Entrypoints() {
		out.Entrypoints = append(out.Entrypoints, Count{path, t.asked[path]})
	}
	if r == nil {
		return out
	}
	for _, rule := range r.rules.Rules() {
		out.Rules++
		if rule.Fired {
			out.Reached++
		} else {
			out.Unreached = append(out.Unreached, ruleOf(&rule))
		}
	}
	return out
}

func ruleOf(o *engine.RuleOutcome) Rule { return Rule{o.Rule, o.Part, o.File, o.Row} }
