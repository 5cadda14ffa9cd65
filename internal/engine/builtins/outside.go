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
// they answered then. Other builtins that are not deterministic tell the Notes of their evaluation.
func Offline(guarded map[string]*topdown.Builtin) map[string]*topdown.Builtin {
	out := maps.Clone(guarded)
	for name, b := range guarded {
		if b.Decl.Nondeterministic {
			own := *b
			own.Func = noting(b.Func)
			out[name] = &own
		}
	}
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

// Notes is the Cancel of one evaluation, which notes whether a builtin was called whose answer depends on more than
// its operands: on time, or on random values. It is only told by builtins of Offline.
type Notes struct{ cancelled, varies atomic.Bool }

// Cancel implements topdown.Cancel.
func (n *Notes) Cancel() { n.cancelled.Store(true) }

// Cancelled implements topdown.Cancel.
func (n *Notes) Cancelled() bool { return n.cancelled.Load() }

// Varies reports whether another evaluation of the same input may have another answer.
func (n *Notes) Varies() bool { return n.varies.Load() }

func noting(f topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(bctx topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		if n, ok := bctx.Cancel.(*Notes); ok {
			n.varies.Store(true)
		}
		return f(bctx, operands, iter)
	}
}
