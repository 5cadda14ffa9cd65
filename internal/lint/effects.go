package lint

import "github.com/open-policy-agent/opa/v1/ast"

// effect is what it means for a decision that something holds: it helps to allow, it helps to deny, or both.
type effect uint8

const (
	allows effect = 1 << iota
	denies
)

// turned is the effect of the opposite.
func (e effect) turned() effect { return e&allows<<1 | e&denies>>1 }

// effects finds out, from the entrypoints down, how each rule takes part in decisions.
type effects struct {
	program *program
	// of is the effect of each rule with a value, by its path; bodies that of each body.
	of     map[string]effect
	bodies map[*ast.Rule]effect
	// reached are the paths of all rules that an entrypoint depends on.
	reached map[string]bool
	queue   []string
}

// effectsOf starts at the rules of entrypoints, by their paths.
func effectsOf(p *program, entrypoints []string) *effects {
	e := &effects{program: p, of: map[string]effect{}, bodies: map[*ast.Rule]effect{}, reached: map[string]bool{}}
	for _, path := range entrypoints {
		e.add(path, allows)
	}
	for len(e.queue) > 0 {
		path := e.queue[0]
		e.queue = e.queue[1:]
		for _, root := range e.program.rules[path] {
			for r := root; r != nil; r = r.Else {
				e.branch(r, e.of[path])
			}
		}
	}
	return e
}

// add records an effect of the rules at a path. A rule that only describes a decision is reached with none.
func (e *effects) add(path string, how effect) {
	if e.reached[path] && e.of[path]|how == e.of[path] {
		return
	}
	e.reached[path] = true
	e.of[path] |= how
	e.queue = append(e.queue, path)
}

// branch follows the body and the value of one rule, or one else, whose value has an effect.
func (e *effects) branch(r *ast.Rule, how effect) {
	body := how
	if refuses(r) {
		body = 0
		if allowsLater(r.Else) {
			body = how.turned()
		}
	}
	e.bodies[r] |= body
	e.terms(r.Body, body)
	if r.Head.Key != nil {
		e.value(r.Head.Key, 0)
	}
	if r.Head.Value != nil {
		e.value(r.Head.Value, how)
	}
}

// refuses reports whether the value of a rule denies: false, or an object whose allow is false or left out.
func refuses(r *ast.Rule) bool {
	if r.Head.Value == nil {
		return false
	}
	switch v := r.Head.Value.Value.(type) {
	case ast.Boolean:
		return !bool(v)
	case ast.Object:
		allow := v.Get(ast.InternedTerm("allow"))
		return allow != nil && allow.Value.Compare(ast.Boolean(false)) == 0
	}
	return false
}

// allowsLater reports whether an else, or one below it, does not refuse. Where all refuse, they only describe.
func allowsLater(r *ast.Rule) bool {
	return r != nil && (!refuses(r) || allowsLater(r.Else))
}

// value follows the value of a rule. Of an object that is a decision, only the member allow has an effect.
func (e *effects) value(t *ast.Term, how effect) {
	if object, ok := t.Value.(ast.Object); ok {
		allow := object.Get(ast.InternedTerm("allow"))
		object.Foreach(func(_, member *ast.Term) {
			if member == allow {
				e.terms(member, how)
			} else {
				e.terms(member, 0)
			}
		})
		return
	}
	e.terms(t, how)
}

// terms follows each reference in x.
func (e *effects) terms(x any, how effect) {
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if x.Negated != comparesWithNothing(x) {
				e.operands(x, how.turned())
				return true
			}
			if x.Negated {
				e.operands(x, how) // not count(x) == 0
				return true
			}
		case ast.Call:
			if isComparisonWithNothing(x) {
				for _, arg := range x[1:] {
					e.terms(arg, how.turned())
				}
				return true
			}
		case ast.Ref:
			e.ref(x, how)
		case *ast.With:
			return true
		}
		return false
	}).Walk(x)
}

// operands follows what is in an expression, apart from a "not" and a comparison with nothing around it.
func (e *effects) operands(x *ast.Expr, how effect) {
	switch terms := x.Terms.(type) {
	case []*ast.Term:
		for _, t := range terms {
			e.terms(t, how)
		}
	case ast.Node:
		e.terms(terms, how)
	}
}

// ref follows a reference to rules.
func (e *effects) ref(ref ast.Ref, how effect) {
	for _, path := range e.program.rulesAt(ref) {
		e.add(path, how)
	}
}

// comparesWithNothing reports whether an expression says that a collection is empty or a value false.
func comparesWithNothing(x *ast.Expr) bool {
	if !x.IsCall() {
		return false
	}
	terms := x.Terms.([]*ast.Term)
	return isComparisonWithNothing(terms)
}

func isComparisonWithNothing(call []*ast.Term) bool {
	if len(call) != 3 {
		return false
	}
	switch call[0].Value.String() {
	case ast.Equal.Name, ast.Equality.Name:
	default:
		return false
	}
	for _, t := range call[1:] {
		switch v := t.Value.(type) {
		case ast.Boolean:
			if !v {
				return true
			}
		case ast.Number:
			if v == "0" {
				return true
			}
		case ast.Set, ast.Object, *ast.Array:
			if t.Value.(interface{ Len() int }).Len() == 0 {
				return true
			}
		case ast.Call:
			if v.String() == "set()" {
				return true
			}
		}
	}
	return false
}
