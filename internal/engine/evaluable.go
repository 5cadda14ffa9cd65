package engine

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// evaluable says of which rules the values can be judged: of those that depend on nothing that is at fault or unknown.
type evaluable struct {
	compiler *ast.Compiler
	d        *diagnosis
	faulty   map[*ast.Rule]bool
}

// evaluableRules looks at the problems that were told so far.
func (d *diagnosis) evaluableRules(compiler *ast.Compiler) *evaluable {
	s := &evaluable{compiler: compiler, d: d, faulty: map[*ast.Rule]bool{}}
	for _, p := range d.problems {
		if m := compiler.Modules[p.File]; m != nil && p.Row > 0 && !isStrictnessProblem(p) {
			if r := ruleAt(m, p.Row, p.Col); r != nil {
				s.faulty[r] = true
			}
		}
	}
	return s
}

// isStrictnessProblem is tolerable of a problem.
func isStrictnessProblem(p bundle.Problem) bool {
	return isStrictnessError(&ast.Error{Message: p.Message})
}

// rule reports whether the value of the rules at a path can be judged.
func (s *evaluable) rule(path string) bool {
	rules := slices.Clone(s.compiler.GetRulesExact(rego.RefOf(path))) // the slice is the compiler's
	seen := map[*ast.Rule]bool{}
	for len(rules) > 0 {
		r := rules[len(rules)-1]
		rules = rules[:len(rules)-1]
		if r == nil || seen[r] {
			continue
		}
		seen[r] = true
		if s.faulty[r] || s.d.replaced[locationOfRule(r)] || s.readsUnknown(r) {
			return false
		}
		rules = append(rules, r.Else)
		for dependency := range s.compiler.Graph.Dependencies(r) {
			if rule, ok := dependency.(*ast.Rule); ok {
				rules = append(rules, rule)
			}
		}
		rules = append(rules, s.compiler.GetRulesExact(r.Ref().GroundPrefix())...)
	}
	return true
}

// readsUnknown reports whether a rule reads, or is one of, what is unknown.
func (s *evaluable) readsUnknown(r *ast.Rule) bool {
	found := s.d.isUnknown(r.Ref().GroundPrefix())
	rego.VisitRefs(r, func(_ *ast.Term, ref ast.Ref, _ *ast.Location) {
		found = found || ref.HasPrefix(ast.DefaultRootRef) && s.d.isUnknown(ref)
	})
	return found
}
