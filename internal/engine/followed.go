package engine

import "github.com/open-policy-agent/opa/v1/topdown"

// Followed is p with a tracer that follows each evaluation, for the coverage of tests. It decides as p does.
func (p *Policy) Followed(by topdown.QueryTracer) *Policy {
	return p.with(func(w *runtime) { w.follower = by })
}
