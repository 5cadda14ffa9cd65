package migrate

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// world is a policy set whose names can be looked up.
type world struct {
	modules []*module
	// rules are the rules by package and first name: "data.httpapi.authz.allow".
	rules map[string][]*ast.Rule
	// aliases are rules that only name a part of the input.
	aliases map[string]alias
}

type alias struct {
	ref ast.Ref
	in  *scope
}

// index builds the maps anew.
func (w *world) index() {
	w.rules, w.aliases = map[string][]*ast.Rule{}, map[string]alias{}
	for _, m := range w.modules {
		m.imports = map[ast.Var]ast.Ref{}
		for _, imp := range m.ast.Imports {
			if ref, ok := imp.Path.Value.(ast.Ref); ok {
				m.imports[imp.Name()] = ref
			} else if v, ok := imp.Path.Value.(ast.Var); ok {
				m.imports[imp.Name()] = ast.Ref{ast.VarTerm(string(v))}
			}
		}
		for _, r := range m.ast.Rules {
			name := fullName(m, r)
			w.rules[name] = append(w.rules[name], r)
		}
	}
	for _, m := range w.modules {
		for _, r := range m.ast.Rules {
			if ref := aliasOf(r); ref != nil && len(w.rules[fullName(m, r)]) == 1 {
				w.aliases[fullName(m, r)] = alias{ref, w.inRule(m, r)}
			}
		}
	}
}

// fullName is the path of a rule: its package and its first name.
func fullName(m *module, r *ast.Rule) string {
	return dotted(m.ast.Package.Path.Extend(r.Head.Ref()[:1]))
}

// dotted is a path of constants as one text; it stops before the first part that is none.
func dotted(ref ast.Ref) string {
	out := ""
	for i, t := range ref {
		switch v := t.Value.(type) {
		case ast.String:
			out += "." + string(v)
		case ast.Var:
			if i > 0 {
				return out
			}
			out = string(v)
		default:
			return out
		}
	}
	return out
}

// aliasOf is the reference that a rule is another name of, or nil.
func aliasOf(r *ast.Rule) ast.Ref {
	if r.Default || r.Else != nil || len(r.Head.Args) > 0 || r.Head.Key != nil || len(r.Head.Ref()) > 1 ||
		r.Head.Value == nil {
		return nil
	}
	value := r.Head.Value
	switch {
	case isTrivial(r.Body):
	case len(r.Body) == 1 && r.Body[0].IsAssignment() && !r.Body[0].Negated && len(r.Body[0].With) == 0 &&
		r.Body[0].Operand(0).Equal(value):
		value = r.Body[0].Operand(1)
	default:
		return nil
	}
	ref, _ := value.Value.(ast.Ref)
	if ref == nil || !isGround(ref) {
		return nil
	}
	return ref
}

// isGround reports whether a reference begins with a name and goes on with texts.
func isGround(ref ast.Ref) bool {
	_, ok := ref[0].Value.(ast.Var)
	return ok && len(constants(ref))+1 == len(ref)
}

func isTrivial(b ast.Body) bool {
	return len(b) == 0 || len(b) == 1 && b[0].Equal(ast.NewExpr(ast.BooleanTerm(true)))
}

// scope are the local names at one place of a module, with what they stand for where that is a part of the input.
type scope struct {
	m      *module
	parent *scope
	vars   map[ast.Var]ast.Ref
}

func (s *scope) local(v ast.Var) (ast.Ref, bool) {
	for ; s != nil; s = s.parent {
		if ref, ok := s.vars[v]; ok {
			return ref, true
		}
	}
	return nil, false
}

// inRule is the scope of the body of a rule.
func (w *world) inRule(m *module, r *ast.Rule) *scope {
	return w.inBody(w.ofArguments(m, r), r.Body)
}

func (w *world) ofArguments(m *module, r *ast.Rule) *scope {
	s := &scope{m: m, vars: map[ast.Var]ast.Ref{}}
	for _, arg := range r.Head.Args {
		for _, v := range varsOf(arg) {
			s.vars[v] = nil
		}
	}
	return s
}

// inBody is the scope of a body: what it declares, by itself and not in the bodies inside it.
func (w *world) inBody(parent *scope, b ast.Body) *scope {
	s := &scope{m: parent.m, parent: parent, vars: map[ast.Var]ast.Ref{}}
	for _, x := range b {
		if x.IsAssignment() {
			for _, v := range varsOf(x.Operand(0)) {
				s.vars[v] = nil
			}
		} else if d, ok := x.Terms.(*ast.SomeDecl); ok {
			for _, v := range declared(d) {
				s.vars[v] = nil
			}
		}
	}
	for range 2 { // aliases of aliases, in either order
		for _, x := range b {
			w.unify(s, x)
		}
	}
	return s
}

// unify notes that an expression makes a variable another name of a part of the input.
func (w *world) unify(s *scope, x *ast.Expr) {
	if x.Negated || !x.IsAssignment() && !isUnification(x) {
		return
	}
	for _, sides := range [][2]*ast.Term{{x.Operand(0), x.Operand(1)}, {x.Operand(1), x.Operand(0)}} {
		v, ok := sides[0].Value.(ast.Var)
		if !ok || !w.isLocal(v, s) {
			continue
		}
		ref := asRef(sides[1])
		if ref == nil {
			continue
		}
		if to := w.resolve(ref, s); isInput(to) && isGround(to) {
			if known, _ := s.local(v); known == nil {
				s.vars[v] = to
			}
		}
		if x.IsAssignment() {
			return
		}
	}
}

// isUnification reports whether an expression is an equation by "=".
func isUnification(x *ast.Expr) bool {
	return x.IsCall() && x.Operator().Equal(ast.Equality.Ref()) && len(x.Operands()) == 2
}

func (w *world) isLocal(v ast.Var, s *scope) bool {
	if _, ok := s.local(v); ok {
		return true
	}
	if v.IsWildcard() || v == "input" || v == "data" {
		return false
	}
	_, imported := s.m.imports[v]
	return !imported && w.rules[dotted(s.m.ast.Package.Path.Append(ast.StringTerm(string(v))))] == nil
}

func asRef(t *ast.Term) ast.Ref {
	switch v := t.Value.(type) {
	case ast.Ref:
		return v
	case ast.Var:
		return ast.Ref{t}
	}
	return nil
}

func isInput(ref ast.Ref) bool { return len(ref) > 0 && ref[0].Equal(ast.InputRootDocument) }

// resolve follows names to what they stand for: a reference below input or data, as far as that is known.
func (w *world) resolve(ref ast.Ref, s *scope) ast.Ref {
	for range 16 {
		next, scope := w.step(ref, s)
		if next == nil {
			return ref
		}
		ref, s = next, scope
	}
	return ref
}

func (w *world) step(ref ast.Ref, s *scope) (ast.Ref, *scope) {
	head, ok := ref[0].Value.(ast.Var)
	switch {
	case !ok || head == "input":
		return nil, nil
	case head == "data":
		for n := len(ref); n > 1; n-- {
			if !isGround(ref[:n]) {
				continue
			}
			if a, ok := w.aliases[dotted(ref[:n])]; ok {
				return join(a.ref, ref[n:]), a.in
			}
		}
		return nil, nil
	}
	if to, local := s.local(head); local {
		if to == nil {
			return nil, nil
		}
		return join(to, ref[1:]), s
	}
	if to, ok := s.m.imports[head]; ok {
		if to[0].Value.Compare(ast.Var("input")) != 0 && to[0].Value.Compare(ast.Var("data")) != 0 {
			return nil, nil
		}
		return join(to, ref[1:]), s
	}
	full := s.m.ast.Package.Path.Append(ast.StringTerm(string(head)))
	if w.rules[dotted(full)] == nil {
		return nil, nil
	}
	return join(full, ref[1:]), s
}

func join(a, b ast.Ref) ast.Ref { return append(slices.Clone(a), b...) }

// varsOf are the variables of a term, without those of the bodies inside it.
func varsOf(t any) []ast.Var {
	var out []ast.Var
	vis := ast.NewVarVisitor().WithParams(ast.VarVisitorParams{SkipClosures: true, SkipRefCallHead: true})
	vis.Walk(t)
	for v := range vis.Vars() {
		if !v.IsWildcard() {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

// declared are the variables that a "some" declares.
func declared(d *ast.SomeDecl) []ast.Var {
	var out []ast.Var
	for _, symbol := range d.Symbols {
		call, ok := symbol.Value.(ast.Call)
		if !ok {
			out = append(out, varsOf(symbol)...)
			continue
		}
		for _, t := range call[1 : len(call)-1] { // the last is the collection
			out = append(out, varsOf(t)...)
		}
	}
	return out
}
