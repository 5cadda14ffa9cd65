package engine

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// examine finds what OPA's compiler lets pass and what would decide wrongly, or not at all: references that nothing can
// meet, comparisons that are never true, and results that are no decision.
func examine(compiler *ast.Compiler, set *bundle.Set, entrypoints []string) bundle.Problems {
	p := programOf(compiler)
	land := &landscape{program: p, rules: compiler.RuleTree.Child(ast.DefaultRootDocument.Value), data: set.Document()}
	optional, problems := p.optionals()
	problems = append(problems, land.unmet(optional)...)
	return append(problems, p.mismatches()...)
}
