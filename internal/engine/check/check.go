// Package check finds what OPA's compiler lets pass and what would decide wrongly, or not at all: references that
// nothing provides, comparisons that are never true, and results that are no decision.
package check

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// Problems finds what OPA's compiler lets pass and what would decide wrongly, or not at all: references that nothing
// can meet, comparisons that are never true, and results that are no decision. Of the paths in unknown anything may be
// there.
func (p *Program) Problems(set *bundle.Set, entrypoints []string, unknown []ast.Ref) bundle.Problems {
	if problems := p.tooManyTerms(); len(problems) > 0 {
		return problems // types of such variables are as large
	}
	rules := p.compiler.RuleTree.Child(ast.DefaultRootDocument.Value)
	land := &dataTree{program: p, rules: rules, data: set.Document(), unknown: unknown}
	p.tree, p.replaced = land, slices.Collect(maps.Values(p.replacements().targets))
	optional, problems := p.optionalPaths()
	problems = append(problems, land.undefinedRefs(optional)...)
	problems = append(problems, p.comparisonProblems()...)
	problems = append(problems, p.alwaysTrueProblems()...)
	for _, path := range entrypoints {
		problems = append(problems, p.resultProblems(path)...)
	}
	return problems
}
