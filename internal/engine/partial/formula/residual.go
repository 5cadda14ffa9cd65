package formula

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxDepth bounds support rules within support rules.
const maxDepth = 16

// Of is the condition under which one of queries holds, with the rules of the support modules in their places. What
// cannot be put in place stays a literal that refers to data.
func Of(queries []ast.Body, support []*ast.Module) *Formula {
	r := reader{rules: map[string][]*ast.Rule{}}
	for _, m := range support {
		for _, rule := range m.Rules {
			path := m.Package.Path.Extend(rule.Head.Ref().GroundPrefix()).String()
			if rule.Head.Key != nil && rule.Head.RuleKind() == ast.MultiValue {
				path = m.Package.Path.Append(ast.StringTerm(string(rule.Head.Name))).String()
			}
			r.rules[path] = append(r.rules[path], rule)
		}
	}
	parts := make([]*Formula, 0, len(queries))
	for _, q := range queries {
		parts = append(parts, r.body(q, 0))
	}
	return Any(parts...)
}

// reader has the support rules by their paths.
type reader struct{ rules map[string][]*ast.Rule }

func (r *reader) body(body ast.Body, depth int) *Formula {
	var parts []*Formula
	for _, group := range groups(body) {
		parts = append(parts, r.group(nested(group), depth))
	}
	return All(parts...)
}

func (r *reader) group(body ast.Body, depth int) *Formula {
	body = withoutPresences(body)
	if len(body) > 1 {
		// A variable that was replaced may have been all that held the group together.
		if parts := groups(body); len(parts) > 1 {
			var all []*Formula
			for _, p := range parts {
				all = append(all, r.group(p, depth))
			}
			return All(all...)
		}
		return literal(body)
	}
	x := body[0]
	if len(x.With) > 0 {
		return literal(body)
	}
	if x.Negated {
		c := x.Copy()
		c.Negated = false
		return Negate(r.body(ast.NewBody(c), depth))
	}
	if f := r.expression(x, depth); f != nil && depth < maxDepth {
		return f
	}
	return literal(body)
}

// expression is the formula in place of an expression, or nil when it stays as it is.
func (r *reader) expression(x *ast.Expr, depth int) *Formula {
	switch terms := x.Terms.(type) {
	case *ast.Term:
		if b, ok := terms.Value.(ast.Boolean); ok {
			return constant(b)
		}
		if rules := r.rules[terms.String()]; len(rules) > 0 && areTrue(rules) && len(rules[0].Head.Args) == 0 {
			return r.alternatives(rules, nil, depth)
		}
	case []*ast.Term:
		if t := Presence(x); t != nil {
			if isConstant(t) {
				return constant(true)
			}
			if body := presencesIn(t); body != nil {
				return r.body(body, depth+1)
			}
		}
		name, args := terms[0].String(), terms[1:]
		if x.IsEquality() && args[0].IsGround() && args[1].IsGround() && isConstant(args[0]) && isConstant(args[1]) {
			return constant(ast.Boolean(args[0].Equal(args[1])))
		}
		if f := r.arrays(x, depth); f != nil {
			return f
		}
		if rules := r.rules[name]; len(rules) > 0 && areTrue(rules) && len(rules[0].Head.Args) == len(args) &&
			len(Locals(args)) == 0 {
			return r.alternatives(rules, args, depth)
		}
		if rules := r.emptiness(name, args); len(rules) > 0 {
			return Negate(r.alternatives(rules, nil, depth))
		}
		if f := r.comparison(x, depth); f != nil {
			return f
		}
	}
	return nil
}

// arrays compares two arrays element by element.
func (r *reader) arrays(x *ast.Expr, depth int) *Formula {
	if !equates(x) {
		return nil
	}
	a, ok := x.Operand(0).Value.(*ast.Array)
	b, fine := x.Operand(1).Value.(*ast.Array)
	switch {
	case !ok || !fine || len(Locals(x)) > 0:
		return nil
	case a.Len() != b.Len():
		return constant(false)
	}
	var body ast.Body
	for i := range a.Len() {
		pair := ast.Equality.Expr(a.Elem(i).Copy(), b.Elem(i).Copy())
		pair.Location = x.Location
		body = append(body, pair)
	}
	return r.body(body, depth+1)
}

// comparison puts a rule in place that is compared with a constant: data.partial.authz.limit = true.
func (r *reader) comparison(x *ast.Expr, depth int) *Formula {
	if !equates(x) {
		return nil
	}
	for i := range 2 {
		rules, want := r.rules[x.Operand(i).String()], x.Operand(1-i)
		if len(rules) == 0 || !want.Equal(ast.BooleanTerm(true)) || !areTrue(rules) || len(rules[0].Head.Args) > 0 {
			continue
		}
		return r.alternatives(rules, nil, depth)
	}
	return nil
}

// emptiness gives the rules of a set that an expression wants to be empty: count(deny) == 0, deny == set().
func (r *reader) emptiness(name string, args []*ast.Term) []*ast.Rule {
	if len(args) != 2 {
		return nil
	}
	var set *ast.Term
	zero := ast.IntNumberTerm(0)
	for i := range 2 {
		this, other := args[i], args[1-i]
		call, isCall := this.Value.(ast.Call)
		switch {
		case name == ast.Count.Name && i == 0 && other.Equal(zero):
			set = this
		case (name == ast.Equality.Name || name == ast.Equal.Name) && isCall && other.Equal(zero) &&
			call[0].String() == ast.Count.Name:
			set = call[1]
		case (name == ast.Equality.Name || name == ast.Equal.Name) && other.Equal(ast.SetTerm()):
			set = this
		}
	}
	if set == nil {
		return nil
	}
	rules := r.rules[set.String()]
	for _, rule := range rules {
		if rule.Head.RuleKind() != ast.MultiValue || rule.Else != nil || rule.Default {
			return nil
		}
	}
	return rules
}

func areTrue(rules []*ast.Rule) bool {
	for _, rule := range rules {
		if rule.Default || rule.Else != nil || rule.Head.RuleKind() == ast.MultiValue || rule.Head.Value == nil ||
			!rule.Head.Value.Equal(ast.BooleanTerm(true)) {
			return false
		}
	}
	return true
}

func (r *reader) alternatives(rules []*ast.Rule, args []*ast.Term, depth int) *Formula {
	var parts []*Formula
	for _, rule := range rules {
		body := rule.Body.Copy()
		for i, arg := range args {
			bound := ast.Equality.Expr(rule.Head.Args[i].Copy(), arg.Copy())
			bound.Location = rule.Location
			body = append(ast.Body{bound}, body...)
		}
		parts = append(parts, r.body(body, depth+1))
	}
	return Any(parts...)
}

// OfBody is the condition of one body.
func OfBody(body ast.Body) *Formula { return (&reader{}).body(body, 0) }

func literal(body ast.Body) *Formula {
	return &Formula{Op: Lit, Literal: &Literal{Body: body, Key: keyOf(body)}}
}

func constant(b ast.Boolean) *Formula {
	if b {
		return All()
	}
	return Any()
}

func isConstant(t *ast.Term) bool { return ast.IsConstant(t.Value) }

// RefersToData reports whether a literal depends on rules that are not in it.
func (l *Literal) RefersToData() bool { return strings.Contains(l.Key, "data.") }
