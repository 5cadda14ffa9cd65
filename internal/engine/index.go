package engine

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// indexHides reports whether OPA's rule index may keep an error of a builtin from being seen. The index answers
// startswith and endswith by itself: on a value that is not text it says that the rule does not match, where the builtin
// would have failed. A deny rule that only seems not to match allows, so policies that call one of the two, and read values
// whose type the schema of the input does not fix, are evaluated without the index. Which value meets which call is not
// followed: the compiler has put variables between them.
func indexHides(c *ast.Compiler) bool {
	calls, reads := false, false
	for _, m := range c.Modules {
		ast.WalkExprs(m, func(x *ast.Expr) bool {
			calls = calls || x.IsCall() && slices.Contains([]string{"startswith", "endswith"}, x.Operator().String())
			return false
		})
		ast.WalkRefs(m, func(ref ast.Ref) bool {
			reads = reads || ref.HasPrefix(ast.InputRootRef) && untyped(ref)
			return false
		})
	}
	return calls && reads
}

// open are the places in the input that hold JSON of others.
var open = []ast.Ref{
	ast.MustParseRef("input.context"),
	ast.MustParseRef("input.token.claims"),
	ast.MustParseRef("input.token.authorization_details"),
	ast.MustParseRef("input.subject.properties"),
	ast.MustParseRef("input.action.properties"),
	ast.MustParseRef("input.resource.properties"),
}

// untyped reports whether ref may lead to such a place, from above it or from within.
func untyped(ref ast.Ref) bool {
	sure := ref.ConstantPrefix()
	return slices.ContainsFunc(open, func(place ast.Ref) bool {
		return sure.HasPrefix(place) || place.HasPrefix(sure)
	})
}
