package check

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// inferred are the types that OPA infers in the body of a rule, each nil where it infers none.
type inferred struct {
	vars map[ast.Var]types.Type
	// operands are those of calls whose type is known by nothing else.
	operands map[*ast.Term]types.Type
}

// inferredType is the type that OPA infers for a term of a rule, or nil. OPA goes through the whole body for that, so
// what is likely to be asked is inferred at once.
func (p *Program) inferredType(s *scope, t *ast.Term) types.Type {
	if s.inferred == nil {
		s.inferred = p.inferAll(s)
	}
	of, known := s.inferred.operands[t]
	if v, ok := t.Value.(ast.Var); ok {
		of, known = s.inferred.vars[v]
	}
	if !known {
		return p.infer(s, []*ast.Term{t})[0]
	}
	return of
}

// inferAll are the types of the variables that the body of a rule names, and of the operands of its calls.
func (p *Program) inferAll(s *scope) *inferred {
	all := &inferred{map[ast.Var]types.Type{}, map[*ast.Term]types.Type{}}
	var terms []*ast.Term
	ast.WalkVars(s.rule.Body, func(v ast.Var) bool {
		if _, is := all.vars[v]; !is && v != ast.InputRootDocument.Value && v != ast.DefaultRootDocument.Value {
			all.vars[v] = nil
			terms = append(terms, ast.NewTerm(v))
		}
		return false
	})
	for _, c := range s.calls {
		for _, t := range c.args {
			if isInferred(t) {
				terms = append(terms, t)
			}
		}
	}
	for i, of := range p.infer(s, terms) {
		if v, ok := terms[i].Value.(ast.Var); ok {
			all.vars[v] = of
		} else {
			all.operands[terms[i]] = of
		}
	}
	return all
}

// isInferred reports whether a term is neither a variable nor a constant, and no reference to the input, which mostly
// has a type by its schema.
func isInferred(t *ast.Term) bool {
	switch v := t.Value.(type) {
	case ast.Var:
		return false
	case ast.Ref:
		return !v.HasPrefix(ast.InputRootRef)
	}
	return !ast.IsConstant(t.Value)
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
