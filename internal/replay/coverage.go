package replay

import (
	"context"

	"github.com/authz-sidecar/sidecar/internal/engine"
)

const (
	// followedOfGroup is how many decisions with one entrypoint, route, kind and reasons are followed.
	followedOfGroup = 5
	// maxFollowed bounds those of all groups, beside the first of each.
	maxFollowed = 1000
)

// coverage says what the decisions of t reached. Some of each kind are evaluated once more for that, until ctx ends.
func (s *shared) coverage(ctx context.Context, t *tally) Coverage {
	out := Coverage{Entrypoints: []Count{}, Unreached: []Rule{}}
	for _, path := range t.o.Candidate.Policy.Entrypoints() {
		out.Entrypoints = append(out.Entrypoints, Count{path, t.asked[path]})
	}
	if t.o.Followed < 0 {
		return out
	}
	policy, reach := s.candidate.Reached()
	list := t.answers.round(maxGroups+maxFollowed, anyGroup)
	each := make([]func(), 0, len(list))
	for _, o := range list {
		each = append(each, func() { s.follow(ctx, policy, o) })
	}
	s.together(each)
	out.Decisions = len(list)
	for _, rule := range reach.Rules() {
		out.Rules++
		if rule.Fired {
			out.Reached++
		} else {
			out.Unreached = append(out.Unreached, ruleOf(&rule))
		}
	}
	return out
}

func (s *shared) follow(ctx context.Context, policy *engine.Policy, o *outcome) {
	defer func() { _ = recover() }() // the decision itself has been counted
	if ctx.Err() == nil {
		s.point.RedecideBy(ctx, policy, o.recorded())
	}
}

func ruleOf(o *engine.RuleOutcome) Rule { return Rule{o.Rule, o.Part, o.File, o.Row} }
