package engine

import "github.com/open-policy-agent/opa/v1/topdown"

// Followed is p with a tracer that follows each evaluation, for the coverage of tests. It decides as p does.
func (p *Policy) Followed(by topdown.QueryTracer) *Policy {
	own := *p
	own.entries = map[string]*preparedRule{}
	for path, e := range p.entries {
		shared, entry := *e.runtime, *e
		shared.follower, entry.runtime = by, &shared
		own.entries[path] = &entry
	}
	return &own
}
