package rego

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// OPA's rule index answers some builtins by itself: of 1.22.4 startswith, endswith, strings.any_prefix_match,
// strings.any_suffix_match and glob.match. On an operand of another type it says that the rule does not match, where
// the builtin would have failed, and a deny rule that only seems not to match allows. For glob.match it differs from
// the builtin on strings too: it takes a backslash in the string for an escape, and compares delimiters with bytes.
//
// The index leaves a call alone whose result is captured, for a rule may yield false. So a call of a builtin with a
// boolean result captures it here, as true: startswith(x, "/a") becomes startswith(x, "/a", true). The same builtin
// runs, under its own name, and the meaning is the same; the expression loses its index, and the rule keeps that of its
// other expressions. This holds for all such builtins, so that one which a later OPA indexes is safe too. Excepted are
// comparisons and "in", which cannot fail, and calls that the index answers as the builtin does: affixes of operands
// that are surely strings.

// indexedAffixBuiltins are the builtins that the index answers rightly on strings.
var indexedAffixBuiltins = []string{
	ast.StartsWith.Name, ast.EndsWith.Name, ast.AnyPrefixMatch.Name, ast.AnySuffixMatch.Name,
}

// logPackage is where rules read an event of the decision log, to which the schema of the input does not apply.
var logPackage = ast.MustParseRef("data.system.log")

// captureCalls is a stage of the compiler. It runs when types are known, before the index is built.
func captureCalls(c *ast.Compiler) *ast.Error {
	replaced := replacedInputs(c)
	for _, m := range c.Modules {
		kept := map[*ast.Expr]bool{}
		if !m.Package.Path.HasPrefix(logPackage) {
			ast.WalkRules(m, func(r *ast.Rule) bool {
				for _, x := range r.Body {
					kept[x] = isCallOf(x, indexedAffixBuiltins) && alwaysString(c, r.Body, x.Operand(0), replaced)
				}
				return false
			})
		}
		ast.WalkExprs(m, func(x *ast.Expr) bool {
			if !kept[x] && capturable(x) {
				x.Terms = append(slices.Clone(x.Terms.([]*ast.Term)), ast.BooleanTerm(true))
			}
			return false
		})
	}
	return nil
}

func isCallOf(x *ast.Expr, names []string) bool {
	return x.IsCall() && slices.Contains(names, x.Operator().String())
}

// capturable reports whether x is true or false by a builtin that can fail.
func capturable(x *ast.Expr) bool {
	if !x.IsCall() {
		return false
	}
	b := ast.BuiltinMap[x.Operator().String()]
	return b != nil && b.Infix == "" && !b.Relation && !strings.HasPrefix(b.Name, "internal.") &&
		types.Compare(b.Decl.Result(), types.B) == 0 && len(x.Operands()) == b.Decl.Arity()
}

// alwaysString reports whether the operand of a call in body is a string whatever a request holds: each reference that
// it stands for is a member of the input which the schema says is a string, and no "with" puts anything else there.
// Data may be replaced by "with" and differs from load to load, and the argument of a function is whatever its callers
// give.
func alwaysString(c *ast.Compiler, body ast.Body, operand *ast.Term, replaced []ast.Ref) bool {
	refs, ok := referencesOf(body, operand)
	return ok && !slices.ContainsFunc(refs, func(ref ast.Ref) bool {
		t := c.TypeEnv.GetByRef(ref)
		return !ref.HasPrefix(ast.InputRootRef) || t == nil || types.Compare(t, types.S) != 0 ||
			slices.ContainsFunc(replaced, func(r ast.Ref) bool { return r.HasPrefix(ref) || ref.HasPrefix(r) })
	})
}

// referencesOf returns the references that body unifies with a term, directly or over variables, which the compiler has
// put between a reference and the call that reads it. It is false when there are none, or something else beside them.
func referencesOf(body ast.Body, t *ast.Term) (refs []ast.Ref, ok bool) {
	terms := []*ast.Term{t}
	for i := 0; i < len(terms); i++ {
		switch v := terms[i].Value.(type) {
		case ast.Ref:
			refs = append(refs, v)
		case ast.Var:
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
		default:
			return nil, false
		}
	}
	return refs, len(refs) > 0
}

// replacedInputs are the places in the input that a "with" changes somewhere in the policy.
func replacedInputs(c *ast.Compiler) []ast.Ref {
	var out []ast.Ref
	for _, m := range c.Modules {
		for _, t := range WithTargets(m, ast.InputRootRef) {
			out = append(out, t.Value.(ast.Ref))
		}
	}
	return out
}
