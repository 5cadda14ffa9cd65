package migrate

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// keywords are names that Rego v1 took. Of contains only rules and imports are concerned: a variable may have its
// name.
var keywords = []string{"in", "if", "every", "contains"}

// renameKeywords gives what is named like a keyword of Rego v1 another name, in v0 modules and in what refers to them.
func (s *session) renameKeywords() {
	s.index()
	for _, word := range keywords {
		for _, m := range s.modules {
			full := m.ast.Package.Path.Append(ast.StringTerm(word))
			rule := s.rules[dotted(full)] != nil
			_, imported := m.imports[ast.Var(word)]
			if !m.v0 || !rule && !imported && (word == "contains" || !mentions(m.ast, ast.Var(word))) {
				continue
			}
			as := freeName(m.ast, word+"_")
			for _, other := range s.modules {
				switch {
				case other == m, rule && other.ast.Package.Path.Equal(m.ast.Package.Path):
					other.renameVar(word, as)
				case rule:
					other.renameMember(full, as)
				}
			}
			s.report.note(m.file, 1, word+" is a keyword today: it is "+as+" now", "")
			s.index()
		}
	}
	for _, m := range s.modules {
		s.dropTwice(m)
	}
}

// dropTwice removes an import that is there already.
func (s *session) dropTwice(m *module) {
	seen := map[ast.Var]ast.Value{}
	m.ast.Imports = slices.DeleteFunc(m.ast.Imports, func(imp *ast.Import) bool {
		name := imp.Name()
		first, twice := seen[name]
		if !twice {
			seen[name] = imp.Path.Value
			return false
		}
		if first.Compare(imp.Path.Value) != 0 {
			s.report.left(m.file, imp.Location.Row, "two imports have the name "+string(name), "give one another name")
			return false
		}
		return true
	})
}

func freeName(node any, name string) string {
	for mentions(node, ast.Var(name)) {
		name += "_"
	}
	return name
}

// renameVar renames a name everywhere in a module: variables, rules, imports.
func (m *module) renameVar(from, to string) {
	for _, imp := range m.ast.Imports {
		if string(imp.Name()) == from {
			imp.Alias = ast.Var(to)
		}
	}
	renamed := func(v ast.Var) (ast.Value, error) {
		if string(v) == from {
			return ast.Var(to), nil
		}
		return v, nil
	}
	_, _ = ast.TransformVars(m.ast, renamed)
	ast.WalkExprs(m.ast, func(x *ast.Expr) bool { // OPA leaves out the terms of a "some"
		if d, ok := x.Terms.(*ast.SomeDecl); ok {
			for i, symbol := range d.Symbols {
				if value, err := ast.TransformVars(symbol.Value, renamed); err == nil {
					d.Symbols[i] = &ast.Term{Value: value.(ast.Value), Location: symbol.Location}
				}
			}
		}
		return false
	})
}

// renameMember renames the last part of a path below data, where the module refers to it.
func (m *module) renameMember(full ast.Ref, to string) {
	last := len(full) - 1
	renamed := func(ref ast.Ref) ast.Ref {
		head, _ := ref[0].Value.(ast.Var)
		whole := ref
		if path, ok := m.imports[head]; ok {
			whole = join(path, ref[1:])
		}
		at := last - (len(whole) - len(ref))
		if at < 1 || !whole.HasPrefix(full) {
			return ref
		}
		out := slices.Clone(ref)
		out[at] = ast.StringTerm(to)
		return out
	}
	for _, imp := range m.ast.Imports {
		ref, ok := imp.Path.Value.(ast.Ref)
		if ok && ref.Equal(full) {
			if imp.Alias == "" { // the name in this module stays, where it is no keyword
				imp.Alias = ast.Var(strings.TrimSuffix(string(imp.Name()), "_"))
				if slices.Contains(keywords, string(imp.Alias)) {
					old := string(imp.Alias)
					m.renameVar(old, freeName(m.ast, old+"_"))
				}
			}
			imp.Path = ast.NewTerm(renamed(ref))
		}
	}
	for _, r := range m.ast.Rules {
		transform := func(ref ast.Ref) (ast.Value, error) { return renamed(ref), nil }
		_, _ = ast.TransformRefs(r, transform)
		ast.WalkExprs(r, func(x *ast.Expr) bool {
			if d, ok := x.Terms.(*ast.SomeDecl); ok {
				for _, symbol := range d.Symbols {
					_, _ = ast.TransformRefs(symbol.Value, transform)
				}
			}
			return false
		})
	}
}
