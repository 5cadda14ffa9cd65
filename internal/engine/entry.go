package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// entry is one rule that may be asked. It is immutable.
type entry struct {
	path  string
	query rego.PreparedEvalQuery
	// fixed are the options that are the same for every evaluation within the snapshot.
	fixed    []rego.EvalOption
	deadline time.Duration
	reach    reach
	demand   Demand
}

// reach says how far the builtins of a policy can get.
type reach uint8

const (
	// enclosed policies only compute.
	enclosed reach = iota
	// outside policies also wait for the network, where an alarm is not heard: the end of a context is.
	outside
)

// eval evaluates e over in. The value is nil when the rule is undefined.
func (e *entry) eval(ctx context.Context, in ast.Value, more ...rego.EvalOption) (ast.Value, error) {
	cancel := topdown.NewCancel() // without one, OPA starts a goroutine for each evaluation
	alarm := time.AfterFunc(e.deadline, cancel.Cancel)
	defer alarm.Stop()
	if e.reach == outside {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, e.deadline)
		defer done()
	}
	values := newVirtualCache()
	defer values.release()
	var failed []topdown.Error
	options := make([]rego.EvalOption, 0, len(e.fixed)+len(more)+4)
	options = append(append(options, e.fixed...), more...)
	options = append(options, rego.EvalParsedInput(in), rego.EvalExternalCancel(cancel), rego.EvalBuiltinErrorList(&failed), rego.EvalVirtualCache(values))
	rs, err := e.query.Eval(ctx, options...)
	switch {
	case topdown.IsCancel(err):
		return nil, fmt.Errorf("evaluate data.%s: not done after %s, the deadline of one evaluation", dotted(e.path), e.deadline)
	case err != nil:
		return nil, fmt.Errorf("evaluate data.%s: %w", dotted(e.path), failure(err))
	case len(failed) > 0:
		// OPA treats the expression as undefined, and a deny rule that is undefined allows.
		return nil, fmt.Errorf("evaluate data.%s: %w", dotted(e.path), failure(&failed[0]))
	case len(rs) == 0 || len(rs[0].Expressions) == 0:
		return nil, nil
	}
	value, ok := rs[0].Expressions[0].Value.(ast.Value)
	if !ok {
		return nil, fmt.Errorf("evaluate data.%s: a result of type %T", dotted(e.path), rs[0].Expressions[0].Value)
	}
	if err := bounded(value); err != nil {
		return nil, fmt.Errorf("evaluate data.%s: %w", dotted(e.path), err)
	}
	return value, nil
}

// keepTerm hands results over as they are, for verdictOf reads terms.
func keepTerm(t *ast.Term, _ *rego.EvalContext) (any, error) { return t.Value, nil }
