package builtins

import (
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/authz-sidecar/sidecar/internal/metrics"
)

// minConcurrent is the least number of calls that may run detached at once, calls that outlived their evaluation
// included. On a machine with more processors there may be one a processor.
const minConcurrent = 8

// Runaways counts and bounds the calls of builtins that outlive their evaluation: OPA checks a deadline between calls
// and not within one. One value serves all policies of a process. It is safe for concurrent use.
type Runaways struct {
	slots   chan struct{}
	running atomic.Int64
	total   atomic.Int64
}

// NewRunaways returns a counter that stands at 0.
func NewRunaways() *Runaways {
	return &Runaways{slots: make(chan struct{}, max(minConcurrent, runtime.GOMAXPROCS(0)))}
}

// Register shows the counts as metrics.
func (r *Runaways) Register(to metrics.Registerer) {
	metrics.NewGaugeFunc(to, "sidecar_engine_runaway_calls",
		"Builtin calls that are still running after the end of their evaluation.",
		func() float64 { return float64(r.Running()) })
	metrics.NewCounterFunc(to, "sidecar_engine_runaway_calls_total",
		"Builtin calls that ran on after the end of their evaluation.",
		func() float64 { return float64(r.Total()) })
}

// Running is the number of calls that run although their evaluation is over.
func (r *Runaways) Running() int64 { return r.running.Load() }

// Total is the number of calls that outlived their evaluation so far.
func (r *Runaways) Total() int64 { return r.total.Load() }

// ErrTooManyRunaways is the cause of an evaluation that may not start another detached call.
var ErrTooManyRunaways = errors.New("too many calls of builtins go on after their deadline: another one is not started")

// detachedCall is one call of a builtin on a goroutine of its own, which owns it until done is closed.
type detachedCall struct {
	outputs []*ast.Term
	err     error
	// panicked is the value of a panic of the builtin.
	panicked any
	done     chan struct{}
	// left is set once: by the evaluation when it is over, or by the call when it is done.
	left atomic.Bool
}

// callDetached runs f on a goroutine of its own and passes its results on. At the deadline the evaluation ends while f
// goes on.
func (r *Runaways) callDetached(bctx topdown.BuiltinContext, operands []*ast.Term, f topdown.BuiltinFunc,
	iter func(*ast.Term) error) error {
	if err := r.enter(bctx.Cancel); err != nil {
		return halt(err, bctx.Location)
	}
	c := &detachedCall{done: make(chan struct{})}
	go r.run(c, bctx, operands, f)
	if !await(c.done, bctx.Cancel) && c.left.CompareAndSwap(false, true) {
		r.total.Add(1)
		r.running.Add(1)
		return deadlineError(bctx.Location)
	}
	<-c.done
	if c.panicked != nil {
		panic(c.panicked)
	}
	for _, t := range c.outputs {
		if err := iter(t); err != nil {
			return err
		}
	}
	return c.err
}

// run is the goroutine of a call. It ends when f returns; nothing can stop f.
func (r *Runaways) run(c *detachedCall, bctx topdown.BuiltinContext, operands []*ast.Term, f topdown.BuiltinFunc) {
	defer func() {
		c.panicked = recover()
		if !c.left.CompareAndSwap(false, true) {
			r.running.Add(-1)
		}
		<-r.slots
		close(c.done)
	}()
	c.err = f(bctx, operands, func(t *ast.Term) error {
		c.outputs = append(c.outputs, t)
		return nil
	})
}

// enter waits for a slot. It gives up when calls that outlived their evaluation hold all of them.
func (r *Runaways) enter(cancel topdown.Cancel) error {
	select {
	case r.slots <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(pollInterval)
	defer timer.Stop()
	for {
		if int(r.running.Load()) >= cap(r.slots) || cancel != nil && cancel.Cancelled() {
			return ErrTooManyRunaways
		}
		select {
		case r.slots <- struct{}{}:
			return nil
		case <-timer.C:
			timer.Reset(pollInterval)
		}
	}
}

// pollInterval is how often an evaluation checks its deadline while a call runs detached.
const pollInterval = 2 * time.Millisecond

// await waits for done. It is false when the evaluation is over first.
func await(done <-chan struct{}, cancel topdown.Cancel) bool {
	timer := time.NewTimer(pollInterval)
	defer timer.Stop()
	for {
		select {
		case <-done:
			return true
		case <-timer.C:
			if cancel != nil && cancel.Cancelled() {
				return false
			}
			timer.Reset(pollInterval)
		}
	}
}

// deadlineError ends an evaluation as OPA does at a deadline.
func deadlineError(loc *ast.Location) error {
	err := &topdown.Error{Code: topdown.CancelErr, Message: "caller cancelled query execution", Location: loc}
	return topdown.Halt{Err: err}
}

// halt ends an evaluation with a cause of this package.
func halt(cause error, loc *ast.Location) error {
	err := &topdown.Error{Code: topdown.BuiltinErr, Message: cause.Error(), Location: loc}
	return topdown.Halt{Err: err.Wrap(cause)}
}

// Cause is the cause with which this package ended an evaluation, or nil.
func Cause(err error) error {
	if errors.Is(err, ErrTooManyRunaways) {
		return ErrTooManyRunaways
	}
	if e, ok := errors.AsType[*limitError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*OutsideError](err); ok {
		return e
	}
	return nil
}
