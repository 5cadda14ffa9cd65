// Package check finds errors in policies that OPA's compiler accepts: references that nothing provides, comparisons
// that are never true, and results that cannot be read as a decision.
package check

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// Problems are the errors of the policies in set, with the rules that entrypoints name. unknown are paths under data
// at which anything may be.
func (p *Program) Problems(set *bundle.Set, entrypoints []string, unknown []ast.Ref) bundle.Problems {
	if problems := p.tooManyTerms(); len(problems) > 0 {
		return problems // the types of such variables would be as large
	}
	land := p.land(set, unknown)
	optional := p.optionalPaths()
	problems := append(slices.Clone(optional.problems), land.undefinedRefs(optional.of)...)
	problems = append(problems, p.comparisonProblems()...)
	problems = append(problems, p.alwaysTrueProblems()...)
	for _, path := range entrypoints {
		problems = append(problems, p.resultProblems(path)...)
	}
	return problems
}

// Undefined are the references that neither the rules of the program, which may be those of tests too, nor the data of
// set provide. What metadata declare optional for one rule is optional for all, as tests are about the rules of
// others.
func (p *Program) Undefined(set *bundle.Set) bundle.Problems {
	if len(p.tooManyTerms()) > 0 {
		return nil
	}
	unknown := slices.Concat(slices.Collect(maps.Values(p.optionalPaths().of))...)
	return p.land(set, unknown).undefinedRefs(nil)
}

// land is what there is under data, for all checks of the program.
func (p *Program) land(set *bundle.Set, unknown []ast.Ref) *dataTree {
	rules := p.compiler.RuleTree.Child(ast.DefaultRootDocument.Value)
	p.tree = &dataTree{program: p, rules: rules, data: dataOf(set), unknown: unknown}
	p.replaced = p.replacements()
	return p.tree
}

// dataOf is the data of a set; nil when it has values that no store takes, which openers of stores report.
func dataOf(set *bundle.Set) rego.Data {
	data, err := rego.DataOf(set)
	if err != nil {
		return nil
	}
	return data
}
