package migrate

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// with translates the replacement of a member of the input.
func (n *renamer) with(wi *ast.With, sc *scope) []*ast.With {
	return []*ast.With{wi}
}
