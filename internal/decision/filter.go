package decision

import (
	"context"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/engine"
)

// Filterable reports whether a filter can be asked for at a path of an ordinary package.
func (p *Point) Filterable(path []string) bool { return p.snap.Load().Policy.Filterable(path) }

// Filter compiles the rule q.Entrypoint of an ordinary package into a filter, for the token and the request of q. The
// filter is nil unless the decision is an Allow, which is a filter that something may pass, or a Deny, which is one
// that nothing passes.
func (p *Point) Filter(
	ctx context.Context, q authz.Query, path []string, o engine.FilterOptions,
) (authz.Decision, *engine.Filter) {
	snap := p.snap.Load()
	f := &filterer{policy: snap.Policy, path: path, options: o}
	d := p.decideBy(ctx, &q, pending{snap: snap, introspector: snap.Introspector, policy: f,
		kind: decisionlog.TypeFilter})
	return d, f.of(d)
}

// FilterOwn compiles a rule or a query of packages whose input is the caller's own into a filter, as Filter does.
func (p *Point) FilterOwn(
	ctx context.Context, q CallerQuery, o engine.FilterOptions,
) (authz.Decision, *engine.Filter) {
	snap := p.snap.Load()
	f := &filterer{policy: snap.Policy, path: q.Path, options: o, known: !q.Token.Empty()}
	d := p.askBy(ctx, snap, &asked{CallerQuery: q, kind: decisionlog.TypeFilter,
		by: func(ctx context.Context, of engine.CallerQuestion) (answer, error) {
			return f.compile(ctx, engine.FilterQuestion{Input: of.Input, Time: of.Time, Seed: of.Seed})
		}})
	return d, f.of(d)
}

// filterer is the evaluator of filters.
type filterer struct {
	policy  *engine.Policy
	path    []string
	options engine.FilterOptions
	// known is set when the facts about a token are part of the caller's own input.
	known  bool
	filter *engine.Filter
}

// Eval implements evaluator: the result allows unless nothing passes the filter.
func (f *filterer) Eval(ctx context.Context, q engine.Question) (engine.Result, error) {
	a, err := f.compile(ctx, engine.FilterQuestion{Document: q.Document, Time: q.Time, Seed: q.Seed})
	if err != nil {
		return engine.Result{}, err
	}
	return engine.FilterResult(a.(filtered).Filter), nil
}

func (f *filterer) compile(ctx context.Context, q engine.FilterQuestion) (answer, error) {
	q.Path, q.FilterOptions, q.TokenKnown = f.path, f.options, f.known
	found, err := f.policy.Filter(ctx, q)
	if err != nil {
		return nil, err
	}
	f.filter = &found
	return filtered{found}, nil
}

// of is the filter, where d says that there is one.
func (f *filterer) of(d authz.Decision) *engine.Filter {
	if d.Cause != nil || d.Kind != authz.Allow && d.Kind != authz.Deny || f.filter == nil ||
		f.filter.Never != (d.Kind == authz.Deny) {
		return nil
	}
	return f.filter
}

// filtered is a filter as an answer.
type filtered struct{ engine.Filter }

// Allows implements answer.
func (f filtered) Allows() bool { return !f.Never }

// AppendJSON implements answer: null for a filter that nothing passes.
func (f filtered) AppendJSON(dst []byte) ([]byte, error) {
	if f.Result == nil {
		return append(dst, "null"...), nil
	}
	return append(dst, f.Result...), nil
}

// Size is the memory of the filter in bytes.
func (f filtered) Size() int { return len(f.Result) }

// Query evaluates a query of Rego over the packages whose input is the caller's own. The answer is a JSON array of
// bindings, or nil where nothing meets the query, and where the decision is neither Allow nor Deny.
func (p *Point) Query(ctx context.Context, q CallerQuery, query string) (authz.Decision, []byte) {
	snap := p.snap.Load()
	var rows engine.Bindings
	d := p.askBy(ctx, snap, &asked{CallerQuery: q, kind: decisionlog.TypeQuery,
		by: func(ctx context.Context, of engine.CallerQuestion) (answer, error) {
			var err error
			rows, err = snap.Policy.Query(ctx, engine.QueryQuestion{Query: query, Input: of.Input, Time: of.Time,
				Seed: of.Seed})
			return bindings{rows}, err
		}})
	if d.Kind != authz.Allow && d.Kind != authz.Deny {
		return d, nil
	}
	return d, rows
}

// bindings are the answer to a query.
type bindings struct{ engine.Bindings }

// Allows implements answer.
func (b bindings) Allows() bool { return b.Bindings != nil }

// AppendJSON implements answer: null for a query that nothing meets.
func (b bindings) AppendJSON(dst []byte) ([]byte, error) {
	if b.Bindings == nil {
		return append(dst, "null"...), nil
	}
	return b.Bindings.AppendJSON(dst)
}
