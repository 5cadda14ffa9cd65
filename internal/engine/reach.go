package engine

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/authz-sidecar/sidecar/internal/bundle/library"
	"github.com/authz-sidecar/sidecar/internal/engine/document"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/engine/trace"
)

// MayRead returns a function that reports whether an entrypoint may read the member of the input at a path of names,
// such as "token", "scopes": a part of it, or what it is a part of. It says yes too often rather than too rarely.
func (p *Policy) MayRead(entrypoint string) func(path []string) bool {
	e := p.entries[entrypoint]
	if e == nil {
		return func([]string) bool { return false }
	}
	return document.ReadsOf(e.compiler, rego.RefOf(e.path)).Member
}

// UsesRoutes reports whether an entrypoint depends on the routes of the library, data.sidecar.routes.
func (p *Policy) UsesRoutes(entrypoint string) bool {
	e := p.entries[entrypoint]
	if e == nil {
		return false
	}
	for r := range rego.Dependencies(e.compiler, rego.RefOf(e.path)) {
		if r.Ref().HasPrefix(rego.RefOf("sidecar/routes")) {
			return true
		}
	}
	return false
}

// Reach collects which bodies of rules had a value in the evaluations of a policy. It is safe for concurrent use.
type Reach struct {
	policy *Policy
	seen   sync.Map // of *ast.Rule
}

// Reached returns p with a Reach that follows each evaluation, which takes twice as long. It decides as p does.
func (p *Policy) Reached() (*Policy, *Reach) {
	r := &Reach{policy: p}
	return p.Followed(r), r
}

// Enabled implements topdown.QueryTracer.
func (r *Reach) Enabled() bool { return true }

// Config implements topdown.QueryTracer.
func (r *Reach) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent implements topdown.QueryTracer.
func (r *Reach) TraceEvent(e topdown.Event) {
	if e.Op != topdown.ExitOp {
		return
	}
	if rule, ok := e.Node.(*ast.Rule); ok {
		r.seen.Store(rule, true)
	}
}

// Rules are the bodies of rules that the entrypoints depend on, by file and row, without those of the library.
// Fired is set for those that had a value.
func (r *Reach) Rules() []RuleOutcome {
	var out []RuleOutcome
	listed := map[*ast.Rule]bool{}
	for _, path := range r.policy.Entrypoints() {
		e := r.policy.entries[path]
		for rule := range rego.Dependencies(e.compiler, rego.RefOf(e.path)) {
			o := trace.Place(rule)
			if listed[rule] || strings.HasPrefix(o.File, library.Name+"/") {
				continue
			}
			listed[rule] = true
			_, o.Fired = r.seen.Load(rule)
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b RuleOutcome) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Rule, b.Rule))
	})
	return out
}
