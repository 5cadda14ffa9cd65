package partial

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// withoutElse rewrites the else chains of a module into rules that exclude each other: partial evaluation does not
// look into a rule with else. "r := a if A else := b if B" becomes
//
//	r__else_0_0 if { A; _ = a }
//	r := a if A
//	r := b if { not r__else_0_0; B }
//
// Each branch repeats what excludes those before it, which costs time: it is done only where the shorter way leaves
// something. Verdicts are never taken from the result.
func withoutElse(m *ast.Module) *ast.Module {
	out := m.Copy()
	out.Rules = nil
	for n, r := range m.Rules {
		if r.Else == nil {
			out.Rules = append(out.Rules, r.Copy())
			continue
		}
		out.Rules = append(out.Rules, exclusive(r, n)...)
	}
	for _, r := range out.Rules {
		r.Module = out
	}
	return out
}

// exclusive is the chain of r, the nth rule of its module, as rules that exclude each other.
func exclusive(r *ast.Rule, n int) (out []*ast.Rule) {
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
		call := holds.Head.Reference[0]
		if len(args) > 0 {
			call = ast.CallTerm(append([]*ast.Term{ast.RefTerm(call)}, copied(args)...)...)
		}
		not := negation(call)
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
		x := ast.Equality.Expr(ast.VarTerm("sidecar__value"), b.Head.Value.Copy())
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
