package engine

import (
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// evaluation is what one evaluation of a rule needs, ready to be used again: making it costs more than a small policy.
// What an evaluation may leave in its result is not part of it.
type evaluation struct {
	// of is what the query belongs to.
	of     *runtime
	query  *topdown.Query
	values *virtualCache
	failed []topdown.Error
	seed   seed
	cancel flag
	// ends is what the alarm cancels: cancel, or that of the caller.
	ends  topdown.Cancel
	alarm *time.Timer
	// key is memory for that of requestValues.
	key []byte
}

// flag is a topdown.Cancel without memory of its own.
type flag struct{ cancelled atomic.Bool }

func (f *flag) Cancel()         { f.cancelled.Store(true) }
func (f *flag) Cancelled() bool { return f.cancelled.Load() }

// newEvaluation returns an evaluation of e. Its query has all but what differs from one evaluation to another.
func (e *preparedRule) newEvaluation() *evaluation {
	v := &evaluation{of: e.runtime, values: newVirtualCache()}
	v.query = topdown.NewQuery(e.query).
		WithQueryCompiler(e.queryCompiler).WithCompiler(e.compiler).
		WithStore(e.store).WithTransaction(e.txn).WithBaseCache(&baseCache{}).
		WithBuiltins(e.builtins).WithInterQueryBuiltinValueCache(e.values).
		WithMetrics(e.measures).WithRequestMetadata(map[string]any{}).
		WithVirtualCache(v.values).WithBuiltinErrorList(&v.failed)
	if e.follower != nil {
		v.query.WithQueryTracer(e.follower)
	}
	return v
}

// evaluation returns one for the input in. The caller ends it.
func (e *preparedRule) evaluation(in ast.Value, r evalOptions) *evaluation {
	var v *evaluation
	if e.evaluations != nil {
		v, _ = e.evaluations.Get().(*evaluation)
	}
	if v == nil || v.of != e.runtime {
		v = e.newEvaluation()
	}
	q := v.query.WithTime(r.time.Truncate(e.memo.Quantum)).WithPrintHook(r.print).WithInput(nil).WithSeed(nil)
	if in != nil {
		q.WithInput(ast.NewTerm(in)) // which results may refer to
	}
	if r.seed != "" {
		v.seed = seed{id: r.seed}
		q.WithSeed(&v.seed)
	}
	if r.recorder != nil {
		q.WithQueryTracer(r.recorder)
	}
	if r.tracer != nil {
		q.WithQueryTracer(r.tracer).WithIndexing(false).WithEarlyExit(false)
	}
	if v.ends = r.cancel; v.ends == nil {
		v.ends = &v.cancel
	}
	q.WithCancel(v.ends)
	if v.alarm == nil {
		v.alarm = time.AfterFunc(r.deadline, func() { v.ends.Cancel() })
	} else {
		v.alarm.Reset(r.deadline)
	}
	return v
}

// end stops the alarm. An evaluation is used again after a success: nothing can refer to it then, neither the alarm
// nor a builtin that runs on.
func (e *preparedRule) end(v *evaluation, r evalOptions, err error) {
	if !v.alarm.Stop() || err != nil || len(v.failed) > 0 || r.recorder != nil || r.tracer != nil ||
		e.evaluations == nil {
		return
	}
	v.query.WithInput(nil).WithSeed(nil).WithPrintHook(nil).WithCancel(nil)
	v.ends = nil
	v.values.clear()
	e.evaluations.Put(v)
}
