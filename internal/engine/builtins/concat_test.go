package builtins

import (
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

func TestConcatAnswersAsOPADoes(t *testing.T) {
	long := make([]*ast.Term, 3*maxJoined)
	for i := range long {
		long[i] = ast.StringTerm("x")
	}
	for _, list := range []*ast.Term{
		ast.ArrayTerm(), ast.ArrayTerm(ast.StringTerm("a")), ast.ArrayTerm(ast.StringTerm("a"), ast.StringTerm("ü")),
		ast.ArrayTerm(ast.StringTerm(""), ast.StringTerm("")), ast.ArrayTerm(long...),
		ast.SetTerm(ast.StringTerm("b"), ast.StringTerm("a")),
		ast.ArrayTerm(ast.StringTerm("a"), ast.IntNumberTerm(1)),
		ast.StringTerm("a"), ast.ObjectTerm(),
	} {
		for _, separator := range []*ast.Term{
			ast.StringTerm(""), ast.StringTerm("/"), ast.StringTerm(", "), ast.IntNumberTerm(1),
		} {
			call := func(f topdown.BuiltinFunc) (out string) {
				err := f(topdown.BuiltinContext{}, []*ast.Term{separator, list}, func(t *ast.Term) error {
					out = t.String()
					return nil
				})
				if err != nil {
					return err.Error()
				}
				return out
			}
			if got, want := call(concat), call(builtinConcat); got != want {
				t.Errorf("concat(%v, %v) = %s, want %s", separator, list, got, want)
			}
		}
	}
}
