package partial

import "github.com/open-policy-agent/opa/v1/ast"

// answerOf is the value of a branch, written out where it names a rule without conditions: that of "decision := x if
// ..." is the object of "x := {...}", of which only "allow" counts.
func answerOf(b *ast.Rule, modules map[string]*ast.Module) *ast.Term {
	name, ok := b.Head.Value.Value.(ast.Var)
	if !ok {
		return b.Head.Value
	}
	ref := b.Module.Package.Path.Append(ast.StringTerm(string(name)))
	var named *ast.Rule
	for _, m := range modules {
		for _, r := range m.Rules {
			if !m.Package.Path.Extend(r.Head.Ref()).HasPrefix(ref) {
				continue
			}
			if named != nil {
				return b.Head.Value
			}
			named = r
		}
	}
	if named == nil || named.Module != b.Module || !alwaysSame(named) {
		return b.Head.Value
	}
	// A variable of the body that is called as the rule, or as a rule that the value names, is another one.
	vars := ast.NewVarSet(name)
	ast.WalkVars(named.Head.Value, func(v ast.Var) bool {
		vars.Add(v)
		return false
	})
	own := false
	ast.WalkVars(b.Body, func(v ast.Var) bool {
		own = own || vars.Contains(v)
		return own
	})
	if own {
		return b.Head.Value
	}
	return named.Head.Value.Copy()
}

// alwaysSame reports whether a rule is "name := value", without conditions and arguments.
func alwaysSame(r *ast.Rule) bool {
	return !r.Default && r.Else == nil && len(r.Head.Args) == 0 && len(r.Head.Ref()) == 1 &&
		r.Head.RuleKind() == ast.SingleValue && r.Body.Equal(ast.NewBody(ast.NewExpr(ast.BooleanTerm(true))))
}
