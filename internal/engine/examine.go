package engine

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// examine finds what OPA's compiler lets pass and what would decide wrongly, or not at all: references that nothing can
// meet, comparisons that are never true, and results that are no decision. Of the paths in unknown
// anything may be there.
func (p *program) examine(set *bundle.Set, entrypoints []string, unknown []ast.Ref) bundle.Problems {
	if problems := p.oversized(); len(problems) > 0 {
		return problems // types of such variables are as large
	}
	land := &landscape{program: p, rules: p.compiler.RuleTree.Child(ast.DefaultRootDocument.Value), data: set.Document(), unknown: unknown}
	p.land, p.replaced = land, slices.Collect(maps.Values(p.replacements().targets))
	optional, problems := p.optionals()
	problems = append(problems, land.unmet(optional)...)
	problems = append(problems, p.mismatches()...)
	problems = append(problems, p.alwaysTrue()...)
	for _, path := range entrypoints {
		problems = append(problems, p.illShaped(path)...)
	}
	return problems
}
