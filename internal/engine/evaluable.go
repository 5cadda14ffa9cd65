package engine

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// evaluable tells which rules can be evaluated during a diagnosis: those that depend on no rule with a problem and on
// nothing that is lost.
type evaluable struct {
	compiler *ast.Compiler
	d        *diagnosis
	faulty   map[*ast.Rule]bool
}

// evaluableRules takes the problems so far into account.
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

// isStrictnessProblem is isStrictnessError for a problem.
func isStrictnessProblem(p bundle.Problem) bool {
	return isStrictnessError(&ast.Error{Message: p.Message})
}

// rule reports whether the rule at a path can be evaluated.
func (s *evaluable) rule(path string) bool {
	for r := range rego.Dependencies(s.compiler, rego.RefOf(path)) {
		if s.faulty[r] || s.d.replaced[locationOfRule(r)] || s.readsUnknown(r) {
			return false
		}
	}
	return true
}

// readsUnknown reports whether a rule reads, or is at, a path that is lost.
func (s *evaluable) readsUnknown(r *ast.Rule) bool {
	found := s.d.isUnknown(r.Ref().GroundPrefix())
	rego.VisitRefs(r, func(_ *ast.Term, ref ast.Ref, _ *ast.Location) {
		found = found || ref.HasPrefix(ast.DefaultRootRef) && s.d.isUnknown(ref)
	})
	return found
}
