package migrate

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// rewriter visits every term of a module with the names that are in scope there, and puts others in their place.
// Each of its functions may be nil.
type rewriter struct {
	*world
	// term is asked before the parts of a term are visited. With done, what it returns is not looked into.
	term func(t *ast.Term, s *scope) (out *ast.Term, done bool)
	// expr sees an expression before its terms are visited, and may change it.
	expr func(x *ast.Expr, s *scope)
	// body sees the expressions of a body before they are visited, and returns those that stay.
	body func(b ast.Body, s *scope, read func(ast.Var) bool) ast.Body
	// with translates one "with" into any number.
	with func(wi *ast.With, s *scope) []*ast.With
	// rule sees a rule before it is visited.
	rule func(m *module, r *ast.Rule)
}

func (r *rewriter) module(m *module) {
	for _, rule := range m.ast.Rules {
		r.visitRule(m, rule)
	}
}

func (r *rewriter) visitRule(m *module, rule *ast.Rule) {
	for part := rule; part != nil; part = part.Else {
		if r.rule != nil {
			r.rule(m, part)
		}
		head := part.Head
		s := r.inBody(r.ofArguments(m, part), part.Body)
		part.Body = r.visitBody(part.Body, s, func(v ast.Var) bool {
			return head.Value != nil && mentions(head.Value, v) || head.Key != nil && mentions(head.Key, v) ||
				len(head.Reference) > 0 && mentions(head.Reference[1:], v)
		})
		if head.Value != nil {
			head.Value = r.visit(head.Value, s)
		}
		if head.Key != nil {
			head.Key = r.visit(head.Key, s)
		}
		for i := 1; i < len(head.Reference); i++ {
			head.Reference[i] = r.visit(head.Reference[i], s)
		}
	}
}

// mentions reports whether a variable is anywhere in a node.
func mentions(node any, v ast.Var) bool {
	found := false
	ast.WalkVars(node, func(x ast.Var) bool {
		found = found || x == v
		return found
	})
	return found
}

// visitBody visits a body in its own scope. read tells whether something outside of it reads one of its variables.
func (r *rewriter) visitBody(b ast.Body, s *scope, read func(ast.Var) bool) ast.Body {
	if r.body != nil {
		b = r.body(b, s, read)
	}
	for _, x := range b {
		r.visitExpr(x, s)
	}
	for i, x := range b {
		x.Index = i
	}
	return b
}

func (r *rewriter) visitExpr(x *ast.Expr, s *scope) {
	if r.expr != nil {
		r.expr(x, s)
	}
	switch v := x.Terms.(type) {
	case *ast.Term:
		x.Terms = r.visit(v, s)
	case []*ast.Term:
		for i := 1; i < len(v); i++ {
			v[i] = r.visit(v[i], s)
		}
	case *ast.SomeDecl:
		for i, symbol := range v.Symbols {
			if _, ok := symbol.Value.(ast.Call); ok {
				v.Symbols[i] = r.visit(symbol, s)
			}
		}
	case *ast.Every:
		v.Domain = r.visit(v.Domain, s)
		inner := &scope{m: s.m, parent: s, vars: map[ast.Var]ast.Ref{}}
		for _, t := range []*ast.Term{v.Key, v.Value} {
			if t != nil {
				for _, name := range varsOf(t) {
					inner.vars[name] = nil
				}
			}
		}
		v.Body = r.visitBody(v.Body, r.inBody(inner, v.Body), nothing)
	case *ast.Not:
		v.Body = r.visitBody(v.Body, r.inBody(s, v.Body), nothing)
	case *ast.LogicalAnd:
		v.Lhs = r.visitBody(v.Lhs, r.inBody(s, v.Lhs), nothing)
		v.Rhs = r.visitBody(v.Rhs, r.inBody(s, v.Rhs), nothing)
	case *ast.LogicalOr:
		v.Lhs = r.visitBody(v.Lhs, r.inBody(s, v.Lhs), nothing)
		v.Rhs = r.visitBody(v.Rhs, r.inBody(s, v.Rhs), nothing)
	}
	r.visitWiths(x, s)
}

func nothing(ast.Var) bool { return false }

func (r *rewriter) visitWiths(x *ast.Expr, s *scope) {
	var out []*ast.With
	for _, wi := range x.With {
		translated := []*ast.With{wi}
		if r.with != nil {
			translated = r.with(wi, s)
		}
		for _, t := range translated {
			t.Value = r.visit(t.Value, s)
		}
		out = append(out, translated...)
	}
	x.With = out
}

// visit returns a term in its new form. Collections are made anew: they know their elements by hash.
func (r *rewriter) visit(t *ast.Term, s *scope) *ast.Term {
	if r.term != nil {
		out, done := r.term(t, s)
		if done {
			return out
		}
		t = out
	}
	value := t.Value
	switch v := value.(type) {
	case ast.Ref:
		value = r.visitRef(v, s)
	case ast.Call:
		out := append(ast.Call{}, v...)
		for i := 1; i < len(out); i++ {
			out[i] = r.visit(out[i], s)
		}
		value = out
	case *ast.Array:
		var elements []*ast.Term
		v.Foreach(func(e *ast.Term) { elements = append(elements, r.visit(e, s)) })
		value = ast.NewArray(elements...)
	case ast.Object:
		var pairs [][2]*ast.Term
		v.Foreach(func(k, e *ast.Term) { pairs = append(pairs, [2]*ast.Term{r.visit(k, s), r.visit(e, s)}) })
		value = ast.NewObject(pairs...)
	case ast.Set:
		var elements []*ast.Term
		v.Foreach(func(e *ast.Term) { elements = append(elements, r.visit(e, s)) })
		value = ast.NewSet(elements...)
	case *ast.ArrayComprehension:
		inner := r.inBody(s, v.Body)
		v.Body = r.visitBody(v.Body, inner, func(x ast.Var) bool { return mentions(v.Term, x) })
		v.Term = r.visit(v.Term, inner)
	case *ast.SetComprehension:
		inner := r.inBody(s, v.Body)
		v.Body = r.visitBody(v.Body, inner, func(x ast.Var) bool { return mentions(v.Term, x) })
		v.Term = r.visit(v.Term, inner)
	case *ast.ObjectComprehension:
		inner := r.inBody(s, v.Body)
		v.Body = r.visitBody(v.Body, inner, func(x ast.Var) bool { return mentions(v.Key, x) || mentions(v.Value, x) })
		v.Key, v.Value = r.visit(v.Key, inner), r.visit(v.Value, inner)
	case *ast.TemplateString:
		for _, part := range v.Parts {
			if x, ok := part.(*ast.Expr); ok {
				r.visitExpr(x, s)
			}
		}
	}
	return &ast.Term{Value: value, Location: t.Location}
}

func (r *rewriter) visitRef(ref ast.Ref, s *scope) ast.Ref {
	out := append(ast.Ref{}, ref...)
	if _, ok := out[0].Value.(ast.Var); !ok {
		out[0] = r.visit(out[0], s)
	}
	for i := 1; i < len(out); i++ {
		out[i] = r.visit(out[i], s)
	}
	return out
}
