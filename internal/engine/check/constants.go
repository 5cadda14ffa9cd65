package check

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxConstants bounds how many constants a variable may stand for.
const maxConstants = 64

// withConstants are the references that ref stands for when its variables are replaced by constants: n := "x-team" and
// some n in ["x-team", "x-tenant"] in headers[n]. A variable that may be anything stays.
func (p *Program) withConstants(s *scope, ref ast.Ref) []ast.Ref {
	all := []ast.Ref{ref}
	for i := 1; i < len(ref); i++ {
		if ast.IsConstant(ref[i].Value) {
			continue
		}
		names := p.constants(s, ref[i], maxBindingDepth)
		if len(names) == 0 || len(names)*len(all) > maxConstants {
			continue
		}
		var next []ast.Ref
		for _, r := range all {
			for _, name := range names {
				r = slices.Clone(r)
				r[i] = name
				next = append(next, r)
			}
		}
		all = next
	}
	return all
}

// constants are the values that a term may have, or none when it may have others too.
func (p *Program) constants(s *scope, t *ast.Term, depth int) []*ast.Term {
	if ast.IsConstant(t.Value) {
		return []*ast.Term{t}
	}
	v, ok := t.Value.(ast.Var)
	if !ok || depth == 0 {
		return nil
	}
	if bound := s.bound[v]; bound != nil {
		if ref, ok := bound.Value.(ast.Ref); ok {
			return elements(s.literal(ref))
		}
		return p.constants(s, bound, depth-1)
	}
	i, ok := s.parameters[v]
	if !ok {
		return nil
	}
	var all []*ast.Term
	for _, c := range p.calls[s.path] {
		if i >= len(c.args) {
			return nil
		}
		given := p.constants(c.from, c.args[i], depth-1)
		if len(given) == 0 {
			return nil
		}
		all = append(all, given...)
	}
	return all
}

// literal is the list, written in the rule, that ref iterates over, or nil.
func (s *scope) literal(ref ast.Ref) ast.Value {
	v, ok := ref[0].Value.(ast.Var)
	if !ok || len(ref) != 2 || ast.IsConstant(ref[1].Value) || s.bound[v] == nil {
		return nil
	}
	return s.bound[v].Value
}

// elements are those of a list of constants; other values have none.
func elements(list ast.Value) []*ast.Term {
	if list == nil || !ast.IsConstant(list) {
		return nil
	}
	var all []*ast.Term
	switch list := list.(type) {
	case *ast.Array:
		list.Foreach(func(t *ast.Term) { all = append(all, t) })
	case ast.Set:
		list.Foreach(func(t *ast.Term) { all = append(all, t) })
	case ast.Object:
		list.Foreach(func(_, t *ast.Term) { all = append(all, t) })
	}
	return all
}
