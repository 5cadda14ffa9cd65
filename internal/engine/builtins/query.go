package builtins

import (
	"errors"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	oparego "github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// GuardQuery makes the calls of a query that is parsed, and not compiled yet, bounded, as GuardCalls does those of
// rules.
func GuardQuery(query ast.Body) {
	names := privateNames()
	renameCalls(query, names)
	ast.WalkTerms(query, func(t *ast.Term) bool {
		if call, ok := t.Value.(ast.Call); ok {
			call[0] = renamed(call[0], names)
		}
		return false
	})
}

// PublicQuery takes the private names out of what partial evaluation left of rules.
func PublicQuery(left any) {
	names := map[string]ast.Ref{}
	for name, decl := range Declarations() {
		public := strings.TrimPrefix(name, privatePrefix)
		names[decl.Ref().String()] = ast.BuiltinMap[public].Ref()
	}
	renameCalls(left, names)
}

// Options make the builtins of funcs, which Guarded and Offline return, known to OPA's package rego.
func Options(funcs map[string]*topdown.Builtin) []func(*oparego.Rego) {
	var out []func(*oparego.Rego)
	for name, b := range funcs {
		if !strings.HasPrefix(name, privatePrefix) {
			continue
		}
		out = append(out, oparego.FunctionDyn(
			&oparego.Function{Name: name, Decl: b.Decl.Decl, Nondeterministic: b.Decl.Nondeterministic},
			func(bctx oparego.BuiltinContext, operands []*ast.Term) (result *ast.Term, err error) {
				err = b.Func(bctx, operands, func(t *ast.Term) error {
					result = t
					return nil
				})
				if stop, ok := errors.AsType[topdown.Halt](err); ok {
					return nil, oparego.NewHaltError(stop.Err)
				}
				return result, err
			}))
	}
	return out
}
