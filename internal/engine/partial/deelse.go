package partial

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/partial/formula"
)

// withoutElse rewrites the else chains and defaults of modules into rules that exclude each other: partial evaluation
// does not look into a rule with else, nor into one whose default may be wanted. "r := a if A else := b if B" becomes
//
//	r__else_0_0 if { A; a has a value }
//	r := a if A
//	r := b if { not r__else_0_0; B }
//
// and "default r := c" becomes "r := c if not r__any", where r__any holds where a branch does. Each branch repeats
// what excludes those before it, which costs time: it is done only where the shorter way leaves something. Verdicts
// are never taken from the result.
func withoutElse(modules map[string]*ast.Module) map[string]*ast.Module {
	defaults := map[string]bool{} // by path
	for _, m := range modules {
		for _, r := range m.Rules {
			if r.Default && len(r.Head.Ref()) == 1 {
				defaults[pathIn(m, r)] = true
			}
		}
	}
	out := map[string]*ast.Module{}
	for name, m := range modules {
		flat := m.Copy()
		flat.Rules = nil
		for n, r := range m.Rules {
			switch hasDefault := defaults[pathIn(m, r)]; {
			case r.Default && hasDefault:
				flat.Rules = append(flat.Rules, otherwise(r))
				continue
			case hasDefault:
				flat.Rules = append(flat.Rules, branches(r)...)
			}
			if r.Else == nil {
				flat.Rules = append(flat.Rules, r.Copy())
			} else {
				flat.Rules = append(flat.Rules, exclusive(r, n)...)
			}
		}
		for _, r := range flat.Rules {
			r.Module = flat
		}
		out[name] = flat
	}
	return out
}

func pathIn(m *ast.Module, r *ast.Rule) string { return m.Package.Path.Extend(r.Head.Ref()).String() }

// anyRule is the name of the rule that holds where a branch of r does.
func anyRule(r *ast.Rule) string { return lastName(r.Head.Ref()) + "__any" }

// branches are the rules of that name for the branches of r.
func branches(r *ast.Rule) (out []*ast.Rule) {
	args := namedArguments(r.Head.Args)
	for b := r; b != nil; b = b.Else {
		out = append(out, branchHolds(b, anyRule(r), args))
	}
	return out
}

// otherwise is the rule in place of a default.
func otherwise(r *ast.Rule) *ast.Rule {
	out := r.Copy()
	out.Default = false
	out.Head.Args = namedArguments(r.Head.Args)
	out.Body = ast.NewBody(negation(callOf(ast.VarTerm(anyRule(r)), out.Head.Args)))
	out.Body[0].Location = r.Location
	return out
}

// callOf is the call of a function, or a reference to a rule without arguments.
func callOf(name *ast.Term, args ast.Args) *ast.Term {
	if len(args) == 0 {
		return name
	}
	return ast.CallTerm(append([]*ast.Term{ast.RefTerm(name)}, copied(args)...)...)
}

// exclusive is the chain of r, the nth rule of its module, as rules that exclude each other. Names go by the row,
// which is the same where other rules of the module are left out.
func exclusive(r *ast.Rule, n int) (out []*ast.Rule) {
	if r.Location != nil && r.Location.Row > 0 {
		n = r.Location.Row
	}
	args := namedArguments(r.Head.Args)
	var before ast.Body // "not" of each earlier branch
	i := 0
	for b := r; b != nil; b = b.Else {
		branch := b.Copy()
		branch.Else = nil
		branch.Head.Reference, branch.Head.Name = r.Head.Reference.Copy(), r.Head.Name
		branch.Head.Args = copied(args)
		branch.Body = numbered(append(before.Copy(), b.Body.Copy()...))
		out = append(out, branch)
		if b.Else == nil {
			return out
		}
		holds := branchHolds(b, fmt.Sprintf("%s__else_%d_%d", lastName(r.Head.Ref()), n, i), args)
		out = append(out, holds)
		not := negation(callOf(holds.Head.Reference[0], args))
		not.Location = b.Location
		before = append(before, not)
		i++
	}
	return out
}

// branchHolds is a rule that is true where a branch of a chain has a value.
func branchHolds(b *ast.Rule, name string, args ast.Args) *ast.Rule {
	body := b.Body.Copy()
	if !ast.IsConstant(b.Head.Value.Value) {
		x := ast.NotEqual.Expr(b.Head.Value.Copy(), ast.StringTerm(formula.Absent))
		x.Location = b.Location
		body = append(body, x)
	}
	head := ast.NewHead(ast.Var(name))
	head.Args, head.Value, head.Location = copied(args), ast.BooleanTerm(true), b.Location
	return &ast.Rule{Head: head, Body: numbered(body), Location: b.Location}
}

func numbered(body ast.Body) ast.Body {
	for i := range body {
		body[i].Index = i
	}
	return body
}

func lastName(ref ast.Ref) string {
	switch v := ref[len(ref)-1].Value.(type) {
	case ast.Var:
		return string(v)
	case ast.String:
		return string(v)
	}
	return "rule"
}

func copied(terms ast.Args) ast.Args {
	var out ast.Args
	for _, t := range terms {
		out = append(out, t.Copy())
	}
	return out
}

// namedArguments gives wildcards among arguments a name, since arguments are handed on.
func namedArguments(args ast.Args) ast.Args {
	out := copied(args)
	n := 0
	for _, arg := range out {
		ast.WalkTerms(arg, func(t *ast.Term) bool {
			if v, ok := t.Value.(ast.Var); ok && v.IsWildcard() {
				t.Value = ast.Var(fmt.Sprintf("sidecar__argument_%d", n))
				n++
			}
			return false
		})
	}
	return out
}
