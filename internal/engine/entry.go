package engine

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/cache"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// world is what all evaluations within a snapshot share. It is immutable.
type world struct {
	compiler *ast.Compiler
	store    storage.Store
	// txn is read by all evaluations: the store is never written again.
	txn      storage.Transaction
	values   cache.InterQueryValueCache
	measures metrics.Metrics
	builtins map[string]*topdown.Builtin
	deadline time.Duration
	reach    reach
}

func newWorld(ctx context.Context, compiler *ast.Compiler, store storage.Store, txn storage.Transaction, cfg Config) *world {
	w := &world{
		compiler: compiler, store: store, txn: txn, values: newValueCache(ctx), measures: metrics.NoOp(),
		builtins: guarded(cmp.Or(cfg.Runaways, NewRunaways())), deadline: cfg.Deadline, reach: enclosed,
	}
	if len(cfg.AllowBuiltins) > 0 {
		w.reach = outside
	}
	return w
}

// entry is one rule that may be asked. It is immutable.
type entry struct {
	*world
	path      string
	query     ast.Body
	asks      ast.QueryCompiler
	freshness authz.Freshness
	// needsRequest is set when the rule, or one that it depends on, reads input.request.
	needsRequest bool
}

// reach says how far the builtins of a policy can get.
type reach uint8

const (
	// enclosed policies only compute.
	enclosed reach = iota
	// outside policies also wait for the network, where an alarm is not heard: the end of a context is.
	outside
)

// answer is the variable of a query that holds the value of its rule.
const answer = ast.Var("answer")

// entry prepares the rule at path.
func (w *world) entry(path string, freshness authz.Freshness) (*entry, error) {
	// The query is built from terms: a path is never pasted into Rego.
	asks := w.compiler.QueryCompiler()
	query, err := asks.Compile(ast.NewBody(ast.Equality.Expr(ast.NewTerm(answer), ast.NewTerm(refOf(path)))))
	if err != nil {
		return nil, fmt.Errorf("prepare data.%s: %w", dotted(path), err)
	}
	return &entry{
		world: w, path: path, query: query, asks: asks, freshness: freshness, needsRequest: needsRequest(w.compiler, path),
	}, nil
}

// run is one evaluation.
type run struct {
	time time.Time
	// seed, the decision's id, is what rand and uuid derive from.
	seed string
	// tracer follows an evaluation in which every rule is entered; nil means one as decisions have it.
	tracer topdown.QueryTracer
	// deadline is in place of the configured one where it is not 0.
	deadline time.Duration
}

// eval evaluates e over in. The value is nil when the rule is undefined.
func (e *entry) eval(ctx context.Context, in ast.Value, r run) (ast.Value, error) {
	if r.deadline == 0 {
		r.deadline = e.deadline
	}
	cancel := topdown.NewCancel()
	alarm := time.AfterFunc(r.deadline, cancel.Cancel)
	defer alarm.Stop()
	if e.reach == outside {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, r.deadline)
		defer done()
	}
	values := newVirtualCache()
	defer values.release()
	var failed []topdown.Error
	var value ast.Value
	err := e.ask(in, r).WithCancel(cancel).WithVirtualCache(values).WithBuiltinErrorList(&failed).Iter(ctx, func(qr topdown.QueryResult) error {
		value = qr[answer].Value
		return nil
	})
	switch {
	case topdown.IsCancel(err):
		return nil, fmt.Errorf("evaluate data.%s: not done after %s, the deadline of one evaluation", dotted(e.path), r.deadline)
	case err != nil:
		return nil, fmt.Errorf("evaluate data.%s: %w", dotted(e.path), failure(err))
	case len(failed) > 0:
		// OPA treats the expression as undefined, and a deny rule that is undefined allows.
		return nil, fmt.Errorf("evaluate data.%s: %w", dotted(e.path), failure(&failed[0]))
	case value == nil:
		return nil, nil
	}
	if err := bounded(value); err != nil {
		return nil, fmt.Errorf("evaluate data.%s: %w", dotted(e.path), err)
	}
	return value, nil
}

// ask is the query of one evaluation.
func (e *entry) ask(in ast.Value, r run) *topdown.Query {
	q := topdown.NewQuery(e.query).
		WithQueryCompiler(e.asks).WithCompiler(e.compiler).
		WithStore(e.store).WithTransaction(e.txn).
		WithBuiltins(e.builtins).WithInterQueryBuiltinValueCache(e.values).
		WithMetrics(e.measures).
		WithInput(ast.NewTerm(in))
	if r.seed != "" {
		q = q.WithSeed(&seed{id: r.seed})
	}
	if !r.time.IsZero() {
		q = q.WithTime(r.time)
	}
	if r.tracer != nil {
		q = q.WithQueryTracer(r.tracer).WithIndexing(false).WithEarlyExit(false)
	}
	return q
}
