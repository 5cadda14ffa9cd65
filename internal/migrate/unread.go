package migrate

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// static is the path below data of a reference, by imports and the rules of the package alone; or nil.
func (w *world) static(ref ast.Ref, s *scope) ast.Ref {
	head, ok := ref[0].Value.(ast.Var)
	if !ok || head == "input" {
		return nil
	}
	if head == "data" {
		return ref
	}
	if _, local := s.local(head); local {
		return nil
	}
	if to, ok := s.m.imports[head]; ok {
		if to[0].Equal(ast.DefaultRootDocument) {
			return join(to, ref[1:])
		}
		return nil
	}
	full := s.m.ast.Package.Path.Append(ast.StringTerm(string(head)))
	if w.rules[dotted(full)] == nil {
		return nil
	}
	return join(full, ref[1:])
}

// readers are the rules that other rules read, with one that does.
func (w *world) readers() map[string]string {
	out := map[string]string{}
	for _, m := range w.modules {
		in := ""
		read := func(ref ast.Ref, sc *scope) {
			to := w.static(ref, sc)
			if to == nil {
				return
			}
			if name := w.ruleOf(to); name != "" {
				if name != in {
					out[name] = in
				}
				return
			}
			whole := dotted(to) + "."
			for name := range w.rules {
				if strings.HasPrefix(name, whole) && name != in {
					out[name] = in
				}
			}
		}
		r := &rewriter{world: w, rule: func(m *module, rule *ast.Rule) {
			if len(rule.Head.Ref()) > 0 && !strings.HasPrefix(string(rule.Head.Name), "else") {
				in = fullName(m, rule)
			}
		}}
		r.term = func(t *ast.Term, sc *scope) (*ast.Term, bool) {
			if ref := asRef(t); ref != nil {
				read(ref, sc)
			} else if call, ok := t.Value.(ast.Call); ok {
				read(asRef(call[0]), sc)
			}
			return t, false
		}
		r.expr = func(x *ast.Expr, sc *scope) {
			if terms, ok := x.Terms.([]*ast.Term); ok {
				if ref := asRef(terms[0]); ref != nil {
					read(ref, sc)
				}
			}
		}
		r.with = func(wi *ast.With, sc *scope) []*ast.With {
			if ref := asRef(wi.Target); ref != nil {
				read(ref, sc)
			}
			return []*ast.With{wi}
		}
		r.module(m)
	}
	return out
}

// dropUnread removes the rules that lost their last reader, and reports each.
func (s *session) dropUnread(before map[string]string) {
	for again := true; again; {
		again = false
		s.index()
		now := s.readers()
		for _, m := range s.modules {
			m.ast.Rules = slices.DeleteFunc(m.ast.Rules, func(r *ast.Rule) bool {
				name := fullName(m, r)
				_, was := before[name]
				_, is := now[name]
				if !was || is {
					return false
				}
				again = true
				s.report.dropped(m.file, r.Location.Row, strings.TrimPrefix(name, "data."))
				m.dropComments(r)
				return true
			})
		}
	}
	s.index()
}

// dropComments removes the comments in and directly above a rule.
func (m *module) dropComments(r *ast.Rule) {
	first := r.Location.Row
	last := first + strings.Count(string(r.Location.Text), "\n")
	for i := len(m.ast.Comments) - 1; i >= 0; i-- {
		if c := m.ast.Comments[i]; c.Location.Row == first-1 && c.Location.Col == 1 {
			first--
		}
	}
	m.ast.Comments = slices.DeleteFunc(m.ast.Comments, func(c *ast.Comment) bool {
		return c.Location.Row >= first && c.Location.Row <= last
	})
	m.ast.Annotations = slices.DeleteFunc(m.ast.Annotations, func(a *ast.Annotations) bool {
		return a.Location != nil && a.Location.Row >= first && a.Location.Row <= last
	})
}

// unused takes out what strict compilation refuses: imports, variables and arguments that nothing reads.
func (s *session) unused() {
	for _, m := range s.modules {
		r := &rewriter{world: s.world, body: func(b ast.Body, sc *scope, read func(ast.Var) bool) ast.Body {
			return unusedIn(b, read, func(v ast.Var) bool { return s.isLocal(v, sc) })
		}}
		r.module(m)
		for _, rule := range m.ast.Rules {
			for part := rule; part != nil; part = part.Else {
				unusedArguments(part)
			}
		}
		m.ast.Imports = slices.DeleteFunc(m.ast.Imports, func(imp *ast.Import) bool {
			path := imp.Path.String()
			if strings.HasPrefix(path, "future.") || strings.HasPrefix(path, "rego.") {
				return false
			}
			used := false
			for _, rule := range m.ast.Rules {
				used = used || mentions(rule, imp.Name())
			}
			return !used
		})
	}
}

// unusedIn replaces variables that only get a value by "_".
func unusedIn(b ast.Body, read, isLocal func(ast.Var) bool) ast.Body {
	var out ast.Body
	for i, x := range b {
		unused := func(v ast.Var) bool {
			return !v.IsWildcard() && !read(v) && !mentionedElsewhere(b, i, v) && times(x, v) == 1
		}
		if d, ok := x.Terms.(*ast.SomeDecl); ok {
			if _, isCall := d.Symbols[0].Value.(ast.Call); !isCall {
				d.Symbols = slices.DeleteFunc(d.Symbols, func(t *ast.Term) bool {
					v, ok := t.Value.(ast.Var)
					return ok && unused(v)
				})
				if len(d.Symbols) == 0 {
					continue
				}
			} else {
				call := d.Symbols[0].Value.(ast.Call)
				for j := 1; j < len(call)-1; j++ {
					call[j] = withoutNames(call[j], unused)
				}
			}
		} else if isTautology(x) && len(b) > 1 {
			continue
		} else if x.IsAssignment() {
			left := x.Operand(0)
			v, isVar := left.Value.(ast.Var)
			if isVar && unused(v) && isAlways(x.Operand(1)) && len(b) > 1 {
				continue
			}
			terms := x.Terms.([]*ast.Term)
			terms[1] = withoutNames(left, unused)
		} else if isUnification(x) && !x.Negated && len(b) > 1 && isAlways(x.Operand(1)) {
			if v, ok := x.Operand(0).Value.(ast.Var); ok && isLocal(v) && unused(v) {
				continue
			}
		}
		out = append(out, x)
	}
	if len(out) == 0 && len(b) > 0 { // it was true in any case
		x := ast.NewExpr(ast.BooleanTerm(true))
		x.Location = b[0].Location
		return ast.Body{x}
	}
	return out
}

// isTautology reports whether an expression compares a constant with itself, as for a member that is always the same.
func isTautology(x *ast.Expr) bool {
	return x.IsCall() && !x.Negated && len(x.With) == 0 && x.Operator().String() == "equal" &&
		len(x.Operands()) == 2 &&
		isScalar(x.Operand(0)) && x.Operand(0).Equal(x.Operand(1))
}

// isAlways reports whether a term has a value in any case.
func isAlways(t *ast.Term) bool {
	ref, ok := t.Value.(ast.Ref)
	return t.IsGround() && !ok && !isCallTerm(t) ||
		ok && len(ref) == 3 && dotted(ref) == "data."+generatedPackage+".original"
}

// times is how often a variable is in a node.
func times(node any, v ast.Var) int {
	n := 0
	ast.WalkVars(node, func(x ast.Var) bool {
		if x == v {
			n++
		}
		return false
	})
	return n
}

func withoutNames(t *ast.Term, unused func(ast.Var) bool) *ast.Term {
	switch v := t.Value.(type) {
	case ast.Var:
		if unused(v) {
			return &ast.Term{Value: ast.Var("_"), Location: t.Location}
		}
	case *ast.Array:
		var out []*ast.Term
		v.Foreach(func(e *ast.Term) { out = append(out, withoutNames(e, unused)) })
		return &ast.Term{Value: ast.NewArray(out...), Location: t.Location}
	}
	return t
}

func unusedArguments(r *ast.Rule) {
	for i, arg := range r.Head.Args {
		v, ok := arg.Value.(ast.Var)
		if !ok || v.IsWildcard() || r.Head.Value != nil && mentions(r.Head.Value, v) || mentions(r.Body, v) ||
			times(r.Head.Args, v) > 1 || r.Else != nil && mentions(r.Else, v) {
			continue
		}
		r.Head.Args[i] = &ast.Term{Value: ast.Var("_"), Location: arg.Location}
	}
}
