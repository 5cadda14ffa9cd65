package engine

import (
	"context"
	"errors"

	"github.com/open-policy-agent/opa/v1/topdown"
)

// The bounds of what a query or a filter may make, besides bytes and time: answers, and expressions that partial
// evaluation leaves. Texts of callers are bounded because compiling them costs more than their length.
const (
	maxQueryRows   = 10_000
	maxLeft        = 20_000
	maxQueryBytes  = 16 << 10
	maxOptionBytes = 1 << 10
)

// errTooMuch ends an evaluation whose answer is too large.
var errTooMuch = errors.New("the answer is too large")

// queryBudget ends an evaluation that makes too much. It implements topdown.QueryTracer.
type queryBudget struct {
	stop       context.CancelCauseFunc
	rows, left int

	begun bool
	query uint64 // the id of the query itself
}

// newQueryBudget returns a budget that ends ctx.
func newQueryBudget(ctx context.Context) (context.Context, *queryBudget) {
	ctx, stop := context.WithCancelCause(ctx)
	return ctx, &queryBudget{stop: stop, rows: maxQueryRows, left: maxLeft}
}

// Enabled implements topdown.QueryTracer.
func (b *queryBudget) Enabled() bool { return true }

// Config implements topdown.QueryTracer.
func (b *queryBudget) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent implements topdown.QueryTracer.
func (b *queryBudget) TraceEvent(e topdown.Event) {
	switch {
	case !b.begun:
		b.begun, b.query = true, e.QueryID
	case e.Op == topdown.SaveOp:
		b.left--
	case e.Op == topdown.ExitOp && e.QueryID == b.query:
		b.rows--
	}
	if b.left < 0 || b.rows < 0 {
		b.stop(errTooMuch)
	}
}
