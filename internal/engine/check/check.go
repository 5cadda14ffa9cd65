// Package check finds errors in policies that OPA's compiler accepts: references that nothing provides, comparisons
// that are never true, and results that cannot be read as a decision.
package check

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// Problems are the errors of the policies in set, with the rules that entrypoints name. unknown are paths under data
// at which anything may be.
func (p *Program) Problems(set *bundle.Set, entrypoints []string, unknown []ast.Ref) bundle.Problems {
	if problems := p.tooManyTerms(); len(problems) > 0 {
		return problems // the types of such variables would be as large
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
