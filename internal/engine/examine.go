package engine

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// examine finds what OPA's compiler lets pass and what would decide wrongly, or not at all: references that nothing can
// meet, comparisons that are never true, and results that are no decision.
func (p *program) examine(set *bundle.Set, entrypoints []string) bundle.Problems {
	land := &landscape{program: p, rules: p.compiler.RuleTree.Child(ast.DefaultRootDocument.Value), data: set.Document()}
	p.land, p.replaced = land, slices.Collect(maps.Values(p.replacements().targets))
	optional, problems := p.optionals()
	problems = append(problems, land.unmet(optional)...)
	problems = append(problems, p.mismatches()...)
	for _, path := range entrypoints {
		problems = append(problems, p.illShaped(path)...)
	}
	return problems
}

// lostInputs finds references to the input that never is in the modules of a set of which other modules cannot be read. It is all
// that can be told of such a set: what else the compiler says may follow from what is not there.
func lostInputs(cfg Config, modules map[string]*ast.Module) bundle.Problems {
	var out bundle.Problems
	_, errs := compileTyped(cfg, modules, nil)
	for _, e := range errs {
		if detail, ok := e.Details.(*ast.RefErrInvalidDetail); ok && detail.Ref.HasPrefix(ast.InputRootRef) {
			out = append(out, ProblemsOf("policies", e)...)
		}
	}
	return out
}
