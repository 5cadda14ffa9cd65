package rego

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// The rule index of OPA 1.22.4 answers some builtins by itself: startswith, endswith, strings.any_prefix_match,
// strings.any_suffix_match and glob.match. On an operand of another type the index says that the rule does not match,
// where the builtin fails; a deny rule that seems not to match allows. For glob.match the index differs from the
// builtin on strings too: a backslash in the string counts as an escape, and delimiters are compared with bytes.
//
// A call whose result is captured is never answered by the index, since the result may be false. So this stage
// captures the result of each builtin with a boolean result as true: startswith(x, "/a") becomes startswith(x, "/a",
// true). The builtin and the meaning stay the same. The expression loses its index; the other expressions of the rule
// keep theirs. All such builtins are captured, so that a builtin which a later OPA indexes is safe too. Exceptions are
// comparisons and most "in", which cannot fail, and calls that the index answers as the builtin does: affixes of
// operands that are strings in every request.

// indexedAffixBuiltins are the builtins that the index answers rightly on strings.
var indexedAffixBuiltins = []string{
	ast.StartsWith.Name, ast.EndsWith.Name, ast.AnyPrefixMatch.Name, ast.AnySuffixMatch.Name,
}

// A look-up as a condition, such as data.blocked[x], differs too: the index finds no number among the names of an
// object, and the store finds the name that is written as the number is. So its value is captured by a variable, where
// x may be something else than a string, whatever names lead to the object: the index knows those in variables too.

// The index takes x in "x in input.list" for another name of the list where it knows no reference for x: after
// x := lower(input.name), it compares the list with what x is compared with. Such an "in" is captured.

// captureCalls returns a stage of the compiler, between the type check and the rule index, for modules whose input has
// a schema.
func captureCalls(schema map[string]any) func(*ast.Compiler) *ast.Error {
	return func(c *ast.Compiler) *ast.Error {
		inputs := newInputTypes(c, schema)
		for _, m := range c.Modules {
			kept := map[*ast.Expr]bool{}
			ast.WalkRules(m, func(r *ast.Rule) bool {
				r.Body = inputs.captureLookups(r)
				for _, x := range r.Body {
					if inputs.answeredRightly(r, x) {
						kept[x] = true
					}
				}
				return false
			})
			ast.WalkExprs(m, func(x *ast.Expr) bool {
				if !kept[x] && (capturable(x) || hasVariableElement(x)) {
					x.Terms = append(x.Terms.([]*ast.Term), ast.BooleanTerm(true))
				}
				return false
			})
		}
		return nil
	}
}

// answeredRightly reports whether the index answers a call in the body of r as the builtin does.
func (t *inputTypes) answeredRightly(r *ast.Rule, x *ast.Expr) bool {
	return isCallOf(x, indexedAffixBuiltins) && t.alwaysString(r, x.Operand(0)) ||
		hasVariableElement(x) && len(referencesOf(r.Body, x.Operand(1))) == 0
}

// isMistaken reports whether the index may answer r, in which nothing is captured, wrongly.
func (t *inputTypes) isMistaken(r *ast.Rule) bool {
	found := findsByNumber(r)
	ast.WalkExprs(r.Body, func(x *ast.Expr) bool {
		if term, ok := x.Terms.(*ast.Term); ok {
			found = found || t.isLookup(r, term)
		} else if capturable(x) || hasVariableElement(x) {
			found = found || !slices.Contains(r.Body, x) || !t.answeredRightly(r, x)
		}
		return found
	})
	return found
}

func isCallOf(x *ast.Expr, names []string) bool {
	return x.IsCall() && slices.Contains(names, x.Operator().String())
}

// hasVariableElement reports whether x is an "in" of a variable and what is no literal collection.
func hasVariableElement(x *ast.Expr) bool {
	if !isCallOf(x, []string{ast.Member.Name}) || len(x.Operands()) != 2 {
		return false
	}
	_, element := x.Operand(0).Value.(ast.Var)
	switch x.Operand(1).Value.(type) {
	case ast.Var, ast.Ref:
		return element
	}
	return false
}

// capturable reports whether x calls a builtin that is true or false and can fail.
func capturable(x *ast.Expr) bool {
	if !x.IsCall() {
		return false
	}
	b := ast.BuiltinMap[x.Operator().String()]
	return b != nil && b.Infix == "" && types.Compare(b.Decl.Result(), types.B) == 0 &&
		len(x.Operands()) == b.Decl.Arity()
}

// referencesOf returns the references that body unifies with a term.
func referencesOf(body ast.Body, t *ast.Term) (refs []ast.Ref) {
	for _, t := range unifiedWith(body, t) {
		if ref, ok := t.Value.(ast.Ref); ok {
			refs = append(refs, ref)
		}
	}
	return refs
}

// unifiedWith returns a term and those that body unifies with it, directly or through variables that authors or the
// compiler have put in between.
func unifiedWith(body ast.Body, t *ast.Term) []*ast.Term {
	terms := []*ast.Term{t}
	for i := 0; i < len(terms); i++ {
		if _, ok := terms[i].Value.(ast.Var); !ok {
			continue
		}
		for _, x := range body {
			if !x.IsEquality() {
				continue
			}
			for _, sides := range [][2]*ast.Term{{x.Operand(0), x.Operand(1)}, {x.Operand(1), x.Operand(0)}} {
				if sides[0].Equal(terms[i]) && !slices.ContainsFunc(terms, sides[1].Equal) {
					terms = append(terms, sides[1])
				}
			}
		}
	}
	return terms
}

// captureLookups is the body of r, where the value of each look-up is captured that the index must not answer.
func (t *inputTypes) captureLookups(r *ast.Rule) ast.Body {
	out := r.Body
	for i := len(r.Body) - 1; i >= 0; i-- {
		x := r.Body[i]
		term, ok := x.Terms.(*ast.Term)
		if !ok || x.Negated || len(x.With) > 0 || !t.isLookup(r, term) {
			continue
		}
		value := ast.VarTerm(fmt.Sprintf("%slookup%d__", ast.LocalVarPrefix, i))
		value.Location = term.Location
		found := ast.Equality.Expr(value, term).SetLocation(x.Location)
		found.Generated = true
		condition := *x
		condition.Terms = value
		out = slices.Replace(slices.Clone(out), i, i+1, found, &condition)
	}
	for i, x := range out {
		x.Index = i
	}
	return out
}

// isLookup reports whether the index might look up a key in an object of data, and the key may not be a string.
func (t *inputTypes) isLookup(r *ast.Rule, term *ast.Term) bool {
	ref, ok := term.Value.(ast.Ref)
	if !ok || !ref.HasPrefix(ast.DefaultRootRef) {
		return false
	}
	key := ref[len(ref)-1]
	given := slices.ContainsFunc(unifiedWith(r.Body, key), func(t *ast.Term) bool {
		_, isRef := t.Value.(ast.Ref)
		return isRef || slices.ContainsFunc(r.Head.Args, t.Equal)
	})
	return given && !t.alwaysString(r, key)
}
