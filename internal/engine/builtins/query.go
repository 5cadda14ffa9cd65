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
func GuardQuery(query ast.Body) { renameNested(query, privateNames()) }

// GuardPartial makes the calls of a module or a query bounded that is evaluated partially. Builtins that are not
// deterministic, which partial evaluation knows by their names, keep these.
func GuardPartial(node any) {
	names := privateNames()
	for public := range names {
		if ast.BuiltinMap[public].Nondeterministic {
			delete(names, public)
		}
	}
	renameNested(node, names)
}

// PublicQuery takes the private names out of what partial evaluation left of rules.
func PublicQuery(left any) {
	names := map[string]ast.Ref{}
	for name, decl := range Declarations() {
		names[decl.Ref().String()] = ast.BuiltinMap[strings.TrimPrefix(name, privatePrefix)].Ref()
	}
	renameNested(left, names)
}

// renameNested is renameCalls, and renames calls within terms, which compiled rules do not have.
func renameNested(node any, names map[string]ast.Ref) {
	renameCalls(node, names)
	ast.WalkTerms(node, func(t *ast.Term) bool {
		if call, ok := t.Value.(ast.Call); ok {
			call[0] = renamed(call[0], names)
		}
		return false
	})
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
