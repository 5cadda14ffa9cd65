package builtins

import (
	"maps"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// OutsideError is the cause of an evaluation that ended at a builtin whose answer no decision log holds.
type OutsideError struct {
	// Builtin is the name of the builtin.
	Builtin string
	// Network tells the network from the machine.
	Network bool
}

func (e *OutsideError) Error() string {
	if e.Network {
		return e.Builtin + " reads the network"
	}
	return e.Builtin + " reads the clock of the machine"
}

// Offline are implementations of Guarded in which the builtins that read the network, or the clock of the machine in
// place of the time of the evaluation, end an evaluation with an OutsideError. What they would answer now is not what
// they answered then.
func Offline(guarded map[string]*topdown.Builtin) map[string]*topdown.Builtin {
	out := maps.Clone(guarded)
	for name, network := range map[string]bool{
		ast.HTTPSend.Name: true, ast.NetLookupIPAddr.Name: true,
		ast.CryptoX509ParseAndVerifyCertificates.Name:            false,
		ast.CryptoX509ParseAndVerifyCertificatesWithOptions.Name: false,
	} {
		own := *guarded[privatePrefix+name]
		own.Func = func(bctx topdown.BuiltinContext, _ []*ast.Term, _ func(*ast.Term) error) error {
			return halt(&OutsideError{name, network}, bctx.Location)
		}
		out[privatePrefix+name] = &own
	}
	return out
}

// Notes is the Cancel of one evaluation, which notes whether a builtin was called that is not known to be
// deterministic: its answer may depend on more than its operands, such as time or random values.
type Notes struct {
	cancelled, varies atomic.Bool
	// KnowsTime is set when the time of the evaluation is remembered with its answer, so that time.now_ns is no cause.
	KnowsTime bool
}

// Cancel implements topdown.Cancel.
func (n *Notes) Cancel() { n.cancelled.Store(true) }

// Cancelled implements topdown.Cancel.
func (n *Notes) Cancelled() bool { return n.cancelled.Load() }

// Vary notes that another evaluation of the same input may have another answer.
func (n *Notes) Vary() { n.varies.Store(true) }

// Varies reports whether another evaluation of the same input may have another answer.
func (n *Notes) Varies() bool { return n.varies.Load() }
