package formula

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// Locals are the local variables of x, which is a term, an expression or a body.
func Locals(x any) ast.VarSet {
	v := ast.NewVarVisitor().WithParams(ast.VarVisitorParams{SkipRefCallHead: true})
	v.Walk(x)
	vars := v.Vars()
	for name := range vars {
		if ast.RootDocumentNames.Contains(ast.VarTerm(string(name))) {
			delete(vars, name)
		}
	}
	return vars
}

// groups parts a body into groups of expressions that share local variables, in order.
func groups(body ast.Body) []ast.Body {
	group := make([]int, len(body))
	for i, x := range body {
		group[i] = i
		vars := Locals(x)
		for j := range i {
			if group[j] != group[i] && overlap(vars, Locals(body[j])) {
				from := group[j]
				for k := range i + 1 {
					if group[k] == from {
						group[k] = group[i]
					}
				}
			}
		}
	}
	var out []ast.Body
	at := map[int]int{}
	for i, x := range body {
		n, known := at[group[i]]
		if !known {
			n = len(out)
			at[group[i]] = n
			out = append(out, nil)
		}
		c := x.Copy()
		c.Index = len(out[n])
		out[n] = append(out[n], c)
	}
	return out
}

func overlap(a, b ast.VarSet) bool {
	for v := range a {
		if b.Contains(v) {
			return true
		}
	}
	return false
}

// nested undoes what the compiler and partial evaluation take apart: a variable that stands for the result of one call
// or for one reference is replaced by it, so that "minus(a, b, x); x <= 3" becomes "a - b <= 3".
func nested(body ast.Body) ast.Body {
	for again := true; again; {
		again = false
		for i, x := range body {
			variable, value := definition(x)
			if value == nil {
				continue
			}
			rest := slices.Delete(slices.Clone(body), i, i+1)
			if replaceable(rest, variable, value) {
				body, again = replaced(rest, variable, value), true
				break
			}
		}
	}
	for i, x := range body {
		body[i] = uncaptured(x)
	}
	return body
}

// definition is the variable that an expression gives its value to, and that value; nil when it is no such expression.
func definition(x *ast.Expr) (ast.Var, *ast.Term) {
	terms, ok := x.Terms.([]*ast.Term)
	if !ok || x.Negated || len(x.With) > 0 {
		return "", nil
	}
	last := terms[len(terms)-1]
	v, isVar := last.Value.(ast.Var)
	if x.IsEquality() {
		if isVar && !Locals(terms[1]).Contains(v) {
			return v, terms[1]
		}
		if first, ok := terms[1].Value.(ast.Var); ok && !Locals(terms[2]).Contains(first) {
			return first, terms[2]
		}
		return "", nil
	}
	b := ast.BuiltinMap[x.Operator().String()]
	if b == nil || !isVar || b.Relation || len(terms)-1 != b.Decl.Arity()+1 {
		return "", nil
	}
	call := slices.Clone(terms[:len(terms)-1])
	if Locals(call[1:]).Contains(v) {
		return "", nil
	}
	return v, ast.NewTerm(ast.Call(call))
}

// replaceable reports whether body means the same with value in place of variable: it is used, outside of negations
// and closures, and only once where value can have several values.
func replaceable(body ast.Body, variable ast.Var, value *ast.Term) bool {
	uses := 0
	for _, x := range body {
		if !Locals(x).Contains(variable) {
			continue
		}
		if x.Negated || len(x.With) > 0 || HasClosure(x) {
			return false
		}
		ast.WalkTerms(x, func(t *ast.Term) bool {
			if t.Value.Compare(variable) == 0 {
				uses++
			}
			return false
		})
	}
	return uses == 1 || uses > 1 && len(Locals(value)) == 0
}

// HasClosure reports whether an expression has a comprehension, or is an every.
func HasClosure(x *ast.Expr) bool {
	found := x.IsEvery()
	ast.WalkClosures(x, func(any) bool {
		found = true
		return true
	})
	return found
}

func replaced(body ast.Body, variable ast.Var, value *ast.Term) ast.Body {
	out := make(ast.Body, 0, len(body))
	for i, x := range body {
		c := x.Copy()
		c.Index = i
		_, _ = ast.TransformVars(c, func(v ast.Var) (ast.Value, error) {
			if v == variable {
				return value.Value, nil
			}
			return v, nil
		})
		out = append(out, c)
	}
	return out
}

// uncaptured is f(x) == 3 for f(x, 3), and f(x) for f(x, true): the compiler, and partial evaluation, put the result
// of a builtin last.
func uncaptured(x *ast.Expr) *ast.Expr {
	terms, ok := x.Terms.([]*ast.Term)
	if !ok {
		return x
	}
	last := len(terms) - 1
	b := ast.BuiltinMap[x.Operator().String()]
	if b == nil || x.IsEquality() || b.Relation || last != b.Decl.Arity()+1 {
		return x
	}
	if _, isVar := terms[last].Value.(ast.Var); isVar {
		return x
	}
	c := x.Copy()
	terms = c.Terms.([]*ast.Term)
	if terms[last].Equal(ast.BooleanTerm(true)) && types.Compare(b.Decl.Result(), types.B) == 0 {
		c.Terms = terms[:last]
		return c
	}
	c.Terms = []*ast.Term{ast.NewTerm(ast.Equality.Ref()), ast.CallTerm(terms[:last]...), terms[last]}
	return c
}

// keyOf is the canonical text of a body.
func keyOf(body ast.Body) string {
	numbers := map[ast.Var]string{}
	texts := make([]string, 0, len(body))
	for _, x := range body {
		c := x.Copy()
		c.Index = 0
		vars := Locals(c)
		_, _ = ast.TransformVars(c, func(v ast.Var) (ast.Value, error) {
			if !vars.Contains(v) {
				return v, nil
			}
			if numbers[v] == "" {
				numbers[v] = fmt.Sprintf("v%d", len(numbers))
			}
			return ast.Var(numbers[v]), nil
		})
		// Equality is the same both ways round, and by either name.
		if terms, ok := c.Terms.([]*ast.Term); ok && len(terms) == 3 && equates(c) {
			terms[0] = ast.NewTerm(ast.Equality.Ref())
			if ast.Compare(terms[1], terms[2]) > 0 {
				terms[1], terms[2] = terms[2], terms[1]
			}
		}
		texts = append(texts, c.String())
	}
	return strings.Join(texts, "; ")
}

func equates(x *ast.Expr) bool {
	name := x.Operator().String()
	return name == ast.Equality.Name || name == ast.Equal.Name
}
