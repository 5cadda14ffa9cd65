package meaning

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// reader walks one rule. A variable that stands for a part of the input is followed to the members that are read of
// it.
type reader struct {
	*analysis
	scope *scope
	at    *ast.Location
}

// read adds what a rule reads and calls.
func (a *analysis) read(s *scope) {
	r := &reader{analysis: a, scope: s, at: s.rule.Location}
	for _, arg := range s.rule.Head.Args {
		if _, ok := arg.Value.(ast.Var); !ok {
			r.parameter(arg)
		}
	}
	for _, t := range []*ast.Term{s.rule.Head.Key, s.rule.Head.Value} {
		if t != nil {
			r.term(t)
		}
	}
	for _, t := range s.rule.Head.Reference[1:] {
		r.term(t)
	}
	r.body(s.rule.Body)
}

// parameter reads whole arguments that a function takes apart by a pattern.
func (r *reader) parameter(pattern *ast.Term) {
	for i, arg := range r.scope.rule.Head.Args {
		if arg != pattern {
			continue
		}
		for _, c := range r.calls[r.scope.rule.Ref().String()] {
			if i < len(c.args) {
				for _, ref := range r.refs(c.from, c.args[i]) {
					r.found(ref)
				}
			}
		}
	}
}

func (r *reader) body(body ast.Body) {
	for _, x := range body {
		r.expr(x)
	}
}

func (r *reader) expr(x *ast.Expr) {
	outer := r.at
	defer func() { r.at = outer }()
	if x.Location != nil && x.Location.File != "" {
		r.at = x.Location
	}
	for _, w := range x.With {
		r.term(w.Value)
		r.builtinIn(w.Value)
	}
	switch terms := x.Terms.(type) {
	case *ast.Term:
		r.term(terms)
	case []*ast.Term:
		if x.IsEquality() {
			r.equality(terms[1], terms[2])
			return
		}
		r.call(terms)
	case *ast.Every:
		r.term(terms.Domain)
		r.body(terms.Body)
	case *ast.SomeDecl:
	default:
		ast.WalkBodies(terms, func(b ast.Body) bool {
			r.body(b)
			return true
		})
	}
}

// equality reads both sides, but for a variable that is bound to a reference: its uses say what is read.
func (r *reader) equality(a, b *ast.Term) {
	for _, sides := range [][2]*ast.Term{{a, b}, {b, a}} {
		v, ok := sides[0].Value.(ast.Var)
		if _, parameter := r.scope.parameters[v]; !ok || parameter || len(r.scope.bound[v]) > 1 ||
			r.scope.count[v] < 2 {
			continue
		}
		switch other := sides[1].Value.(type) {
		case ast.Ref:
			if ast.RootDocumentNames.Contains(other[0]) && other[0].Equal(ast.DefaultRootDocument) {
				break // a rule, or data: told where they are named
			}
			r.keys(other)
			return
		case ast.Var:
			return
		}
	}
	r.term(a)
	r.term(b)
}

// call reads the operands of a call.
func (r *reader) call(terms []*ast.Term) {
	name, ok := terms[0].Value.(ast.Ref)
	args := terms[1:]
	if !ok {
		r.terms(args)
		return
	}
	if name.HasPrefix(ast.DefaultRootRef) {
		for i, arg := range args {
			if !r.passed(name, i, arg) {
				r.term(arg)
			}
		}
		return
	}
	r.builtin(name.String(), args)
	if name.String() == ast.ObjectGet.Name && len(args) > 2 && r.member(args[0], args[1]) {
		args = args[2:]
	}
	r.terms(args)
}

func (r *reader) terms(list []*ast.Term) {
	for _, t := range list {
		r.term(t)
	}
}

// passed reports whether an argument stands for a part of the input and is read in the function.
func (r *reader) passed(function ast.Ref, i int, arg *ast.Term) bool {
	if len(r.refs(r.scope, arg)) == 0 {
		return false
	}
	rules := r.compiler.GetRulesExact(function)
	for _, rule := range rules {
		for ; rule != nil; rule = rule.Else {
			if i >= len(rule.Head.Args) {
				return false
			}
			v, ok := rule.Head.Args[i].Value.(ast.Var)
			if ok && newScope(rule).count[v] == 0 {
				return false // its being there is all that the function asks
			}
		}
	}
	if ref, ok := arg.Value.(ast.Ref); ok {
		r.keys(ref)
	}
	return len(rules) > 0
}

// member reads the member of object.get, and reports whether its name is known.
func (r *reader) member(object, key *ast.Term) bool {
	refs := r.refs(r.scope, object)
	path, ok := constantPath(r.scope, key)
	if !ok || len(refs) == 0 {
		return false
	}
	for _, ref := range refs {
		r.found(append(ref[:len(ref):len(ref)], path...))
	}
	return true
}

// constantPath is the path that object.get is given: a name, or an array of names.
func constantPath(s *scope, key *ast.Term) (ast.Ref, bool) {
	if v, ok := key.Value.(ast.Var); ok && len(s.bound[v]) == 1 {
		key = s.bound[v][0]
	}
	switch v := key.Value.(type) {
	case ast.String:
		return ast.Ref{key}, true
	case *ast.Array:
		var out ast.Ref
		for i := range v.Len() {
			if !ast.IsConstant(v.Elem(i).Value) {
				return nil, false
			}
			out = append(out, v.Elem(i))
		}
		return out, true
	}
	return nil, false
}

// term reads all of a term.
func (r *reader) term(t *ast.Term) {
	switch v := t.Value.(type) {
	case ast.Ref:
		for _, ref := range r.refs(r.scope, t) {
			r.found(ref)
		}
		r.keys(v)
	case ast.Var:
		for _, ref := range r.refs(r.scope, t) {
			r.found(ref)
		}
	case ast.Call:
		r.call(v)
	case *ast.ArrayComprehension:
		r.term(v.Term)
		r.body(v.Body)
	case *ast.SetComprehension:
		r.term(v.Term)
		r.body(v.Body)
	case *ast.ObjectComprehension:
		r.term(v.Key)
		r.term(v.Value)
		r.body(v.Body)
	case *ast.Array:
		v.Foreach(r.term)
	case ast.Set:
		v.Foreach(r.term)
	case ast.Object:
		v.Foreach(func(key, value *ast.Term) {
			r.term(key)
			r.term(value)
		})
	}
}

// keys reads the names in a reference that are computed.
func (r *reader) keys(ref ast.Ref) {
	if c, ok := ref[0].Value.(ast.Call); ok {
		r.call(c)
	}
	for _, key := range ref[1:] {
		if !ast.IsConstant(key.Value) {
			r.term(key)
		}
	}
}

// found adds a reference to the input or to data.
func (r *reader) found(ref ast.Ref) {
	at := Place{Rule: pathOf(r.scope.rule), Row: r.at.Row, File: r.at.File}
	prefix := ref.ConstantPrefix()
	if ref.HasPrefix(ast.InputRootRef) {
		r.input.add(prefix.String(), namesIn(prefix), at)
		return
	}
	if len(r.compiler.GetRulesForVirtualDocument(prefix)) > 0 {
		return
	}
	r.data.add(rego.AsWritten(ref), namesIn(ref), at)
}

// namesIn are the parts of a reference below its head; "" for one that is computed.
func namesIn(ref ast.Ref) []string {
	out := make([]string, 0, len(ref))
	for _, t := range ref[1:] {
		switch v := t.Value.(type) {
		case ast.String:
			out = append(out, string(v))
		case ast.Number:
			out = append(out, string(v))
		default:
			out = append(out, "")
		}
	}
	return out
}
