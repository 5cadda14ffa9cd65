package partial

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// writtenOut is the value of a branch, written out where it names a rule without conditions: that of "decision := x if
// ..." is the object of "x := {...}", of which only "allow" has to be true, and the other members to be defined.
func writtenOut(b *ast.Rule, modules map[string]*ast.Module) *ast.Term {
	name, ok := b.Head.Value.Value.(ast.Var)
	imported := func(i *ast.Import) bool { return i.Name().Compare(name) == 0 }
	if !ok || slices.ContainsFunc(b.Module.Imports, imported) {
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
	own := varsOf(b.Body)
	if own.Contains(name) || len(own.Intersect(varsOf(named.Head.Value))) > 0 {
		return b.Head.Value
	}
	return named.Head.Value.Copy()
}

// varsOf are the variables in x, and the names of rules there, but not those of functions.
func varsOf(x any) ast.VarSet {
	vars := ast.NewVarVisitor().WithParams(ast.VarVisitorParams{SkipRefCallHead: true})
	vars.Walk(x)
	return vars.Vars().Diff(ast.ReservedVars)
}

// alwaysSame reports whether a rule is "name := value", without conditions and arguments.
func alwaysSame(r *ast.Rule) bool {
	return !r.Default && r.Else == nil && len(r.Head.Args) == 0 && len(r.Head.Ref()) == 1 &&
		r.Head.RuleKind() == ast.SingleValue && r.Body.Equal(ast.NewBody(ast.NewExpr(ast.BooleanTerm(true))))
}
