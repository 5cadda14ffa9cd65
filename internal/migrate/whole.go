package migrate

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// argument is one argument of a function.
type argument struct {
	function string
	at       int
}

// readByFunctions finds what functions read of the whole document, which they get as an argument. Members that no
// table knows come from the context, as everywhere.
func (s *session) readByFunctions() {
	whole := map[argument]bool{}
	for found := -1; found < len(whole); { // functions hand it on to others
		found = len(whole)
		s.eachFunction(whole, func(m *module, r *ast.Rule, document map[ast.Var]bool) {
			sc := s.inRule(m, r)
			eachCall(r, func(call []*ast.Term) {
				for i, operand := range call[1:] {
					v, isVar := operand.Value.(ast.Var)
					if ref := asRef(operand); isVar && document[v] || ref.Equal(helper("original")) {
						if to := s.static(asRef(call[0]), sc); to != nil {
							whole[argument{s.ruleOf(to), i}] = true
						}
					}
				}
			})
		})
	}
	n := &renamer{session: s, seen: &seen{}, rows: s.product.rowsByPath(s.opts.Map)}
	s.eachFunction(whole, func(m *module, r *ast.Rule, document map[ast.Var]bool) {
		note := func(ref ast.Ref) {
			v, ok := ref[0].Value.(ast.Var)
			path := constants(ref)
			if !ok || !document[v] || len(path) == 0 || n.hasRow(path) || n.hasRowsBelow(path[0]) {
				return
			}
			s.need.original[path[0]] = true
			s.report.fromContext(strings.Join(path, "."), placeOf(m, ref[0].Location))
		}
		ast.WalkRefs(r, func(ref ast.Ref) bool { note(ref); return false })
		eachCall(r, func(call []*ast.Term) {
			if call[0].String() == "object.get" && len(call) > 2 {
				if base, key := asRef(call[1]), pathTerms(call[2]); base != nil && key != nil {
					note(join(base, key))
				}
			}
		})
	})
}

// hasRow reports whether the table has a member or what is above it.
func (n *renamer) hasRow(path []string) bool {
	for k := range path {
		if _, ok := n.rows[strings.Join(path[:k+1], ".")]; ok {
			return true
		}
	}
	return false
}

// eachFunction visits rules, with those of their arguments that are the whole document.
func (s *session) eachFunction(whole map[argument]bool, visit func(*module, *ast.Rule, map[ast.Var]bool)) {
	for _, m := range s.modules {
		for _, rule := range m.ast.Rules {
			name := fullName(m, rule)
			for part := rule; part != nil; part = part.Else {
				document := map[ast.Var]bool{}
				for i, arg := range part.Head.Args {
					if v, ok := arg.Value.(ast.Var); ok && whole[argument{name, i}] {
						document[v] = true
					}
				}
				visit(m, part, document)
			}
		}
	}
}

// eachCall visits the calls of a rule: expressions and terms.
func eachCall(r *ast.Rule, visit func(call []*ast.Term)) {
	ast.WalkExprs(r, func(x *ast.Expr) bool {
		if terms, ok := x.Terms.([]*ast.Term); ok {
			visit(terms)
		}
		return false
	})
	ast.WalkTerms(r, func(t *ast.Term) bool {
		if call, ok := t.Value.(ast.Call); ok {
			visit(call)
		}
		return false
	})
}
