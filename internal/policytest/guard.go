package policytest

import (
	"cmp"
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
)

// guarded are the bounded builtins that compiled policies call, for OPA's runner of tests. None of them is a relation:
// each has one result at most.
func guarded(cfg engine.Config) []*tester.Builtin { return forRunner(implementations(cfg)) }

// offline are guarded in which those that ask the network fail.
func offline(cfg engine.Config) []*tester.Builtin {
	return forRunner(builtins.Offline(implementations(cfg)))
}

func implementations(cfg engine.Config) map[string]*topdown.Builtin {
	return builtins.Guarded(cmp.Or(cfg.Runaways, builtins.NewRunaways()))
}

func forRunner(all map[string]*topdown.Builtin) []*tester.Builtin {
	var out []*tester.Builtin
	for name, b := range all {
		decl := &rego.Function{Name: name, Decl: b.Decl.Decl, Nondeterministic: b.Decl.Nondeterministic}
		call := func(bctx topdown.BuiltinContext, operands []*ast.Term) (result *ast.Term, err error) {
			err = b.Func(bctx, operands, func(t *ast.Term) error { result = t; return nil })
			if halt, ok := errors.AsType[topdown.Halt](err); ok {
				return nil, rego.NewHaltError(halt.Err)
			}
			return result, err
		}
		out = append(out, &tester.Builtin{Decl: b.Decl, Func: rego.FunctionDyn(decl, call)})
	}
	return out
}
