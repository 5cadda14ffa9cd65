package check

import "github.com/open-policy-agent/opa/v1/ast"

const (
	// maxExpansions bounds how many references one may stand for: a function may have many callers.
	maxExpansions = 256
	// maxBindingDepth bounds how many bindings of variables are followed from one to the next.
	maxBindingDepth = 32
)

// expansions are the references to input or data that ref stands for: itself, or what its variable is bound to, or
// what the callers of a function pass. ok is false when it may stand for something else too.
func (p *Program) expansions(s *scope, ref ast.Ref) (all []ast.Ref, ok bool) {
	ok = p.expand(s, ref, maxBindingDepth, &all)
	return all, ok
}

func (p *Program) expand(s *scope, ref ast.Ref, depth int, into *[]ast.Ref) bool {
	if depth == 0 || len(*into) >= maxExpansions || len(ref) == 0 {
		return false
	}
	if isRoot(ref[0]) {
		*into = append(*into, ref)
		return true
	}
	v, ok := ref[0].Value.(ast.Var)
	return ok && p.expandVar(s, v, ref[1:], depth, into)
}

func isRoot(t *ast.Term) bool {
	return t.Value == ast.InputRootDocument.Value || t.Value == ast.DefaultRootDocument.Value
}

// expandVar expands a variable of a rule with tail below it.
func (p *Program) expandVar(s *scope, v ast.Var, tail ast.Ref, depth int, into *[]ast.Ref) bool {
	if made, ok := s.outputs[v]; ok {
		return p.expandOutput(made, tail, depth-1, into)
	}
	if bound := s.bound[v]; bound != nil {
		return p.expandTerm(s, bound, tail, depth-1, into)
	}
	i, ok := s.parameters[v]
	calls := p.calls[s.path]
	if !ok || len(calls) == 0 {
		return false
	}
	for _, c := range calls {
		if i >= len(c.args) || !p.expandTerm(c.from, c.args[i], tail, depth-1, into) {
			return false
		}
	}
	return true
}

func (p *Program) expandTerm(s *scope, t *ast.Term, tail ast.Ref, depth int, into *[]ast.Ref) bool {
	switch v := t.Value.(type) {
	case ast.Ref:
		return p.expand(s, append(v[:len(v):len(v)], tail...), depth, into)
	case ast.Var:
		if depth > 0 && len(*into) < maxExpansions && !isRoot(t) {
			return p.expandVar(s, v, tail, depth, into)
		}
		return p.expand(s, append(ast.Ref{t}, tail...), depth, into)
	case *ast.ArrayComprehension:
		return len(tail) > 0 && p.expandTerm(s, v.Term, tail[1:], depth-1, into)
	case *ast.ObjectComprehension:
		return len(tail) > 0 && p.expandTerm(s, v.Value, tail[1:], depth-1, into)
	}
	return false
}

// expandOutput expands the result of a function of the policies, or of object.get.
func (p *Program) expandOutput(made *call, tail ast.Ref, depth int, into *[]ast.Ref) bool {
	if made.text == ast.ObjectGet.Name {
		keys := p.keysOf(made.from, made.args[1])
		return keys != nil && len(tail) > 0 && lacks(made.args[2], tail[0]) &&
			p.expandTerm(made.from, made.args[0], append(keys, tail...), depth, into)
	}
	rules := p.compiler.GetRulesExact(made.name)
	if len(rules) == 0 || len(tail) == 0 {
		return false
	}
	for _, r := range rules {
		for ; r != nil; r = r.Else {
			if s := p.of[r]; s == nil || r.Head.Value == nil || !p.expandTerm(s, r.Head.Value, tail, depth, into) {
				return false
			}
		}
	}
	return true
}

// lacks reports whether the default of an object.get certainly has no such member.
func lacks(otherwise, name *ast.Term) bool {
	o, ok := otherwise.Value.(ast.Object)
	if !ok {
		return ast.IsConstant(otherwise.Value)
	}
	return ast.IsConstant(o) && ast.IsConstant(name.Value) && o.Get(name) == nil
}
