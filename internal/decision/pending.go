package decision

import (
	"context"
	"sync"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/introspect"
)

// evaluator asks a policy.
type evaluator interface {
	Eval(ctx context.Context, q engine.Question) (engine.Result, error)
}

// pending is a query on its way to a decision. Nothing keeps it beyond that.
type pending struct {
	*authz.Query
	snap *Snapshot
	// introspector and policy are those of snap, or stand before them: for a batch, for an explanation.
	introspector introspect.Introspector
	policy       evaluator
	// rec is the record of the decision, as far as it is known.
	rec *decisionlog.Record
	// client is who is answered, as far as it is known.
	client *client
	// seen is what an observer is told besides; nil without one.
	seen *seen
	// unrecorded is set for a question of an operator about a request that is not served by it: it is no event of the
	// decision log, is not counted, uses up no proof, and no observer is told.
	unrecorded bool
	// asked is the question of a caller with an input of its own; nil for any other.
	asked *asked
	// kind is decisionlog.Record.Type.
	kind string
}

// work is the memory of a pending query, which is used again.
type work struct {
	pending
	query  authz.Query
	client client
	seen   seen
}

var works = sync.Pool{New: func() any { return new(work) }}

// end gives w back, after its decision was made.
func (w *work) end() {
	*w = work{}
	works.Put(w)
}
