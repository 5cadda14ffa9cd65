package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/cache"
	"github.com/open-policy-agent/opa/v1/topdown/print"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
	"github.com/authz-sidecar/sidecar/internal/engine/check"
	"github.com/authz-sidecar/sidecar/internal/engine/document"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// runtime is what all evaluations of one Policy share. It is immutable.
type runtime struct {
	compiler *ast.Compiler
	store    storage.Store
	// txn is shared by all evaluations: the store is never written again.
	txn      storage.Transaction
	values   cache.InterQueryValueCache
	measures metrics.Metrics
	builtins map[string]*topdown.Builtin
	deadline time.Duration
	network  network
	// follower, when it is not nil, follows each evaluation and changes none.
	follower topdown.QueryTracer
}

func newRuntime(
	ctx context.Context, compiler *ast.Compiler, store storage.Store, txn storage.Transaction, cfg Config,
) *runtime {
	w := &runtime{
		compiler: compiler, store: store, txn: txn, values: newValueCache(ctx), measures: metrics.NoOp(),
		builtins: builtins.Guarded(cmp.Or(cfg.Runaways, builtins.NewRunaways())), deadline: cfg.Deadline,
		network: networkDenied,
	}
	if len(cfg.AllowBuiltins) > 0 {
		w.network = networkAllowed
	}
	return w
}

// preparedRule is one rule, ready to be evaluated. It is safe for concurrent use.
type preparedRule struct {
	*runtime
	path          string
	query         ast.Body
	queryCompiler ast.QueryCompiler
	freshness     authz.Freshness
	// needsRequest is set when the rule, or one that it depends on, reads input.request.
	needsRequest bool
	// memo is what the metadata of the rule say.
	memo check.Memo
	// key is what verdicts are remembered by; nil when none are.
	key *memoKey
	// evaluations are those that are over, to be used again; nil keeps none. Copies of the rule share them.
	evaluations *sync.Pool
	// data has the values of rules that follow from data alone; nil keeps none.
	data *dataValues
	// token has the values of rules that follow from the token. It is nil when there are none, and for rules whose
	// input is no document: a member of it that is called token is another one in each question.
	token *tokenValues
	// request has the values of rules that follow from the request. It is nil as token is.
	request *requestValues
}

// network says whether the builtins of a policy may reach the network.
type network uint8

const (
	networkDenied network = iota
	// networkAllowed lets an evaluation wait for the network, where its context must end at the deadline: OPA's Cancel
	// is not checked there.
	networkAllowed
)

// resultVar is the variable of the query that is bound to the value of the rule.
const resultVar = ast.Var("answer")

// prepare compiles the query for the rule at path.
func (w *runtime) prepare(path string, freshness authz.Freshness) (*preparedRule, error) {
	return w.prepareRef(path, rego.RefOf(path), freshness)
}

// prepareRef compiles the query for ref, whose path is for messages.
func (w *runtime) prepareRef(path string, ref ast.Ref, freshness authz.Freshness) (*preparedRule, error) {
	// The query is built from terms, so that a path is never parsed as Rego.
	compiler := w.compiler.QueryCompiler()
	query, err :=
		compiler.Compile(ast.NewBody(ast.Equality.Expr(ast.NewTerm(resultVar), ast.NewTerm(ref))))
	if err != nil {
		return nil, fmt.Errorf("prepare data.%s: %w", rego.Dotted(path), err)
	}
	return &preparedRule{
		runtime: w, path: path, query: query, queryCompiler: compiler, freshness: freshness,
		needsRequest: document.NeedsRequest(w.compiler, ref), evaluations: &sync.Pool{},
	}, nil
}

// evalOptions are those of one evaluation.
type evalOptions struct {
	time time.Time
	// seed, the decision's id, seeds rand and uuid.
	seed string
	// tracer follows an evaluation without the rule index, which enters every rule. Decisions have none.
	tracer topdown.QueryTracer
	// recorder follows an evaluation as it is.
	recorder topdown.QueryTracer
	// deadline replaces the configured one when it is not 0.
	deadline time.Duration
	// print gets what print() writes. It may be nil.
	print print.Hook
	// cancel ends the evaluation, besides the deadline. It may be nil.
	cancel topdown.Cancel
	// document is what the input was converted from. Without it, which is nil, all that follows from the request is
	// evaluated.
	document *input.Document
}

// eval evaluates the rule with the input in. The value is nil when the rule is undefined.
func (e *preparedRule) eval(ctx context.Context, in ast.Value, r evalOptions) (ast.Value, error) {
	value, _, err := e.evalKept(ctx, in, r)
	return value, err
}

// evalKept is eval, with what kept the value before when there is such.
func (e *preparedRule) evalKept(ctx context.Context, in ast.Value, r evalOptions) (ast.Value, *keptValue, error) {
	if r.deadline == 0 {
		r.deadline = e.deadline
	}
	if e.network == networkAllowed {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, r.deadline)
		defer done()
	}
	v := e.evaluation(in, r)
	kept := e.fill(v, in, r)
	var value *ast.Term
	err := v.query.Iter(ctx, func(qr topdown.QueryResult) error {
		value = qr[resultVar]
		return nil
	})
	failed := v.failed
	if err == nil && len(failed) == 0 {
		kept.keep(v.values)
	}
	e.end(v, r, err)
	switch {
	case topdown.IsCancel(err):
		return nil, nil, fmt.Errorf("evaluate data.%s: not done after %s, %w", rego.Dotted(e.path), r.deadline,
			ErrDeadline)
	case err != nil:
		return nil, nil, fmt.Errorf("evaluate data.%s: %w", rego.Dotted(e.path), evalError(err))
	case len(failed) > 0:
		// OPA goes on with the expression undefined, and a deny rule that is undefined allows.
		return nil, nil, fmt.Errorf("evaluate data.%s: %w", rego.Dotted(e.path), evalError(&failed[0]))
	case value == nil:
		return nil, nil, nil
	}
	holder := kept.holding(value)
	if holder != nil && holder.made.Load() != nil {
		return value.Value, holder, nil // which was bounded before
	}
	if err := term.CheckBounds(value.Value); err != nil {
		return nil, nil, fmt.Errorf("evaluate data.%s: %w", rego.Dotted(e.path), err)
	}
	return value.Value, holder, nil
}

// ErrDeadline is the cause of an evaluation that was not done at its deadline. Its text is in the decision log.
var ErrDeadline = errors.New("the deadline of one evaluation")

// OutOfTime reports whether the text of an error, as the decision log has it, says that an evaluation ended for lack
// of time: on another day, or another machine, it may have an answer.
func OutOfTime(cause string) bool {
	return strings.Contains(cause, ErrDeadline.Error()) || strings.Contains(cause, builtins.ErrTooManyRunaways.Error())
}
