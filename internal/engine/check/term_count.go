package check

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// maxTerms is how many terms a variable of a body may stand for.
const maxTerms = 1 << 20

// tooManyTerms finds rules whose variables stand for more terms than an evaluation may make: each line of b := [a, a,
// a], c := [b, b, b] triples them. OPA copies the terms of a variable wherever it is used, and checks neither deadline
// nor memory.
func (p *Program) tooManyTerms() bundle.Problems {
	var out bundle.Problems
	for _, s := range p.scopes {
		sizes := map[ast.Var]int{}
		for v := range s.bound {
			if s.termsOf(ast.NewTerm(v), sizes) > maxTerms {
				out = append(out, rego.ProblemAt(s.rule.Location, ast.CompileErr,
					"a variable of this rule stands for more than %d terms: lists that hold a list several times, "+
						"several times over",
					maxTerms))
				break
			}
		}
	}
	return out.Sorted()
}

// termsOf is how many terms t stands for, up to maxTerms. sizes keeps those of variables.
func (s *scope) termsOf(t *ast.Term, sizes map[ast.Var]int) int {
	switch v := t.Value.(type) {
	case ast.Var:
		n, known := sizes[v]
		if !known {
			sizes[v] = 1 // in case the variable stands for itself
			if bound := s.bound[v]; bound != nil {
				sizes[v] = s.termsOf(bound, sizes)
			}
			n = sizes[v]
		}
		return n
	case *ast.Array, ast.Object, ast.Set:
		n := 1
		ast.WalkTerms(v, func(inner *ast.Term) bool {
			n = min(n+s.termsOf(inner, sizes), maxTerms+1)
			return true
		})
		return n
	}
	return 1
}
