package check

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// inferredType is the type that OPA infers for a term of a rule, or nil. OPA infers all variables of a body at once,
// so those of a rule are kept.
func (p *Program) inferredType(s *scope, t *ast.Term) types.Type {
	v, ok := t.Value.(ast.Var)
	if !ok {
		return p.infer(s, []*ast.Term{t})[0]
	}
	if s.inferred == nil {
		s.inferred = p.inferAll(s)
	}
	if of, known := s.inferred[v]; known {
		return of
	}
	return p.infer(s, []*ast.Term{t})[0]
}

// inferAll are the types of the variables that the body of a rule names.
func (p *Program) inferAll(s *scope) map[ast.Var]types.Type {
	all := map[ast.Var]types.Type{}
	var terms []*ast.Term
	ast.WalkVars(s.rule.Body, func(v ast.Var) bool {
		t := ast.NewTerm(v)
		if _, is := all[v]; !is && !ast.RootDocumentNames.Contains(t) {
			all[v] = nil
			terms = append(terms, t)
		}
		return false
	})
	for i, of := range p.infer(s, terms) {
		all[terms[i].Value.(ast.Var)] = of
	}
	return all
}

// infer are the types of terms in the body of a rule, each nil where OPA infers none.
func (p *Program) infer(s *scope, terms []*ast.Term) []types.Type {
	out := make([]types.Type, len(terms))
	comprehension := &ast.ArrayComprehension{Term: ast.ArrayTerm(terms...), Body: s.rule.Body}
	array, ok := p.compiler.TypeEnv.GetByValue(comprehension).(*types.Array)
	if !ok || array == nil {
		return out
	}
	if inner, ok := array.Dynamic().(*types.Array); ok && inner.Len() == len(terms) {
		for i := range out {
			out[i] = inner.Select(i)
		}
	}
	return out
}
