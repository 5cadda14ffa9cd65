package engine

import (
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/reads"
)

// dataValues keeps the values of rules that follow from data alone, such as constants and sets made of data, for as
// long as the policy lives.
//
// It is safe for concurrent use; nil keeps nothing.
type dataValues struct {
	refs []ast.Ref
	// known are the values of refs, each nil while it is not known.
	known atomic.Pointer[[]*keptValue]
}

// newDataValues returns nil when the rule at ref depends on no rule whose value can be kept.
func newDataValues(p *reads.Program, ref ast.Ref) *dataValues {
	k := keptRules(p, ref, nil)
	if len(k.refs) == 0 || len(k.refs) > maxKeptRefs {
		return nil
	}
	return &dataValues{refs: k.refs}
}

// dataRun is one evaluation.
type dataRun struct {
	of    *dataValues
	known []*keptValue
}

// fill puts what is known into the cache of an evaluation.
func (d *dataValues) fill(values *virtualCache) (run dataRun) {
	if d == nil {
		return run
	}
	run.of = d
	if known := d.known.Load(); known != nil {
		run.known = *known
		put(values, d.refs, run.known)
	}
	return run
}

// keep takes what an evaluation without an error found out.
func (run dataRun) keep(values *virtualCache) {
	if run.of == nil {
		return
	}
	if more, ok := foundValues(values, run.of.refs, run.known, maxKeptOfData); ok {
		run.of.known.Store(&more)
	}
}
