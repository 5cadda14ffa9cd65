package builtins

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// maxJoined is how many texts concat joins by itself: those of a path, or of a header.
const maxJoined = 64

// concat joins a short array of texts with one allocation for the text, where OPA makes six. It leaves all else,
// errors included, to OPA.
func concat(bctx topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
	separator, ok := operands[0].Value.(ast.String)
	list, also := operands[1].Value.(*ast.Array)
	if !ok || !also || list.Len() < 2 || list.Len() > maxJoined {
		return builtinConcat(bctx, operands, iter)
	}
	size := len(separator) * (list.Len() - 1)
	for i := range list.Len() {
		text, ok := list.Elem(i).Value.(ast.String)
		if !ok {
			return builtinConcat(bctx, operands, iter)
		}
		size += len(text)
	}
	var b strings.Builder
	b.Grow(size)
	for i := range list.Len() {
		if i > 0 {
			b.WriteString(string(separator))
		}
		b.WriteString(string(list.Elem(i).Value.(ast.String)))
	}
	return iter(ast.StringTerm(b.String()))
}

var builtinConcat = topdown.GetBuiltin(ast.Concat.Name)
