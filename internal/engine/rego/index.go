package rego

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// SkipIndexes takes away the rule indexes of a compiled program that cost an evaluation more than they save. No answer
// changes, and neither does any error: an index only leaves out rules that turn out undefined, and those that are no
// longer left out are undefined before they reach anything that can fail.
func SkipIndexes(c *ast.Compiler) { withoutIndex(c, worthless) }

// dropMistaken returns a stage of the compiler that takes away the rule indexes which may leave out a rule that holds.
// With captured calls, these are few.
func dropMistaken(isMistaken func(*ast.Compiler) func(*ast.Rule) bool) ast.CompilerStageDefinition {
	drop := func(c *ast.Compiler) *ast.Error {
		mistaken := isMistaken(c)
		withoutIndex(c, func(node *ast.TreeNode) *ast.IndexResult {
			for _, r := range node.Values {
				for ; r != nil; r = r.Else {
					if mistaken(r) {
						return allOf(node)
					}
				}
			}
			return nil
		})
		return nil
	}
	return ast.CompilerStageDefinition{
		Name: "DropMistakenIndexes", MetricName: "compile_stage_drop_mistaken_indexes", Stage: drop,
	}
}

// ofCaptured and ofUncaptured tell which rules of a program the index may answer wrongly.
func ofCaptured(*ast.Compiler) func(*ast.Rule) bool { return findsByNumber }

func ofUncaptured(schema map[string]any) func(*ast.Compiler) func(*ast.Rule) bool {
	return func(c *ast.Compiler) func(*ast.Rule) bool { return newInputTypes(c, schema).isMistaken }
}

// withoutIndex has the rules of each node evaluated that all names. nil keeps the index.
func withoutIndex(c *ast.Compiler, all func(*ast.TreeNode) *ast.IndexResult) {
	c.RuleTree.DepthFirst(func(node *ast.TreeNode) bool {
		if node.Index != nil {
			if rules := all(node); rules != nil {
				node.Index = &allRules{rules, node.Index}
			}
		}
		return false
	})
}

// allOf returns all rules of a node.
func allOf(node *ast.TreeNode) *ast.IndexResult {
	all, err := node.Index.AllRules(nil)
	if err != nil {
		return nil
	}
	return all
}

// findsByNumber reports whether r finds a value by a variable that it compares with a number. The index takes the
// number for the variable, as it is written in the rule: 1.0 is equal to 1, and finds something else.
func findsByNumber(r *ast.Rule) (found bool) {
	ast.WalkRefs(r.Body, func(ref ast.Ref) bool {
		found = found || slices.ContainsFunc(ref[1:], func(key *ast.Term) bool { return isNumbered(r.Body, key) })
		return found
	})
	return found
}

// isNumbered reports whether a body compares a variable with a number, or with what has one in it.
func isNumbered(body ast.Body, key *ast.Term) bool {
	if _, ok := key.Value.(ast.Var); !ok {
		return false
	}
	names := unifiedWith(body, key)
	return slices.ContainsFunc(body, func(x *ast.Expr) bool {
		operands := x.Operands()
		about := func(t *ast.Term) bool { return slices.ContainsFunc(names, t.Equal) }
		return x.IsCall() && slices.ContainsFunc(comparisons, func(c ast.Ref) bool { return c.Equal(x.Operator()) }) &&
			slices.ContainsFunc(operands, about) && slices.ContainsFunc(operands, hasNumber)
	})
}

// comparisons are the builtins by which an index knows a value of a variable.
var comparisons = []ast.Ref{ast.Equality.Ref(), ast.Equal.Ref(), ast.Member.Ref()}

// hasNumber reports whether a term is a number, or has one in it. The positions of references do not count.
func hasNumber(t *ast.Term) (found bool) {
	ast.WalkTerms(t, func(t *ast.Term) bool {
		switch t.Value.(type) {
		case ast.Number:
			found = true
		case ast.Ref:
			return true
		}
		return found
	})
	return found
}

// allRules is an index that leaves out no rule.
type allRules struct {
	all *ast.IndexResult
	// RuleIndex is the one that it takes the place of.
	ast.RuleIndex
}

// Lookup implements ast.RuleIndex. The result is of OPA's pool, since that is where the evaluator puts it.
func (i *allRules) Lookup(ast.ValueResolver) (*ast.IndexResult, error) {
	r := ast.IndexResultPool.Get()
	r.Kind, r.Default = i.all.Kind, i.all.Default
	r.EarlyExit, r.OnlyGroundRefs = i.all.EarlyExit, i.all.OnlyGroundRefs
	r.Rules = append(r.Rules[:0], i.all.Rules...)
	if len(r.Else) > 0 {
		clear(r.Else)
	}
	if len(i.all.Else) > 0 {
		if r.Else == nil {
			r.Else = make(map[*ast.Rule][]*ast.Rule, len(i.all.Else))
		}
		maps.Copy(r.Else, i.all.Else)
	}
	return r, nil
}

// maxUnindexed is how many rules are evaluated without an index.
const maxUnindexed = 4

// worthless returns all rules of a node whose index does not pay, or nil when it may. It pays when it tells rules
// apart by a value. Whether a member of the input is there, and whether a rule that is alone holds, costs no more to
// find out in the rule, where nothing before that can fail.
func worthless(node *ast.TreeNode) *ast.IndexResult {
	all, err := node.Index.AllRules(nil)
	if err != nil || len(all.Rules) > maxUnindexed {
		return nil
	}
	if none, err := node.Index.Lookup(every{nil}); err == nil && same(none, all) {
		return none // whatever the input is
	}
	rules := slices.Clone(all.Rules)
	for _, others := range all.Else {
		rules = append(rules, others...)
	}
	if slices.ContainsFunc(rules, func(r *ast.Rule) bool { return !indexedFirst(r) }) {
		return nil
	}
	if len(rules) == 1 {
		return all
	}
	if some, err := node.Index.Lookup(every{ast.String("\x00")}); err == nil && same(some, all) {
		return some
	}
	return nil
}

// every resolves each reference to one value; nil is undefined.
type every struct{ value ast.Value }

// Resolve implements ast.ValueResolver.
func (e every) Resolve(ast.Ref) (ast.Value, error) { return e.value, nil }

// IndexEveryCandidateEvaluated implements ast.IndexEveryCandidateEvaluated.
func (e every) IndexEveryCandidateEvaluated() bool { return true }

func same(a, b *ast.IndexResult) bool {
	if !slices.Equal(a.Rules, b.Rules) || len(a.Else) != len(b.Else) {
		return false
	}
	for r, others := range a.Else {
		if !slices.Equal(others, b.Else[r]) {
			return false
		}
	}
	return true
}

// indexedFirst reports whether the body of r begins with all that an index may go by, and neither fails nor searches
// before its end.
func indexedFirst(r *ast.Rule) bool {
	bound, first := ast.VarSet{}, true
	bind := func(v ast.Var) bool {
		bound.Add(v)
		return false
	}
	for _, arg := range r.Head.Args {
		ast.WalkVars(arg, bind)
	}
	for _, e := range r.Body {
		plain := isPlain(e, bound)
		if !(plain && first) && mayBeIndexed(e) {
			return false
		}
		first = first && plain
		ast.WalkVars(e, bind)
	}
	return true
}

// mayBeIndexed reports whether an index may go by e: never by what is negated, and never by functions.
func mayBeIndexed(e *ast.Expr) bool {
	if terms, ok := e.Terms.([]*ast.Term); ok {
		ref, isRef := terms[0].Value.(ast.Ref)
		return !e.Negated && !(isRef && ref.HasPrefix(ast.DefaultRootRef))
	}
	return !e.Negated
}

// isPlain reports whether e compares constants, variables and what the input has at one place, which cannot fail.
func isPlain(e *ast.Expr, bound ast.VarSet) bool {
	if len(e.With) > 0 {
		return false
	}
	switch terms := e.Terms.(type) {
	case *ast.Term:
		return isPlainTerm(terms, bound)
	case []*ast.Term:
		if ref, ok := terms[0].Value.(ast.Ref); ok && slices.ContainsFunc(plainBuiltins, ref.Equal) {
			return !slices.ContainsFunc(terms[1:], func(t *ast.Term) bool { return !isPlainTerm(t, bound) })
		}
	}
	return false
}

var plainBuiltins = []ast.Value{
	ast.Equality.Ref(), ast.Equal.Ref(), ast.NotEqual.Ref(), ast.Member.Ref(), ast.IsArray.Ref(),
}

func isPlainTerm(t *ast.Term, bound ast.VarSet) bool {
	plain := true
	ast.WalkTerms(t, func(t *ast.Term) bool {
		switch v := t.Value.(type) {
		case ast.Null, ast.Boolean, ast.Number, ast.String, ast.Var, *ast.Array, ast.Object:
		case ast.Ref:
			searches := func(t *ast.Term) bool {
				name, isVar := t.Value.(ast.Var)
				return isVar && !bound.Contains(name)
			}
			plain = plain && !v.HasPrefix(ast.DefaultRootRef) && !slices.ContainsFunc(v[1:], searches)
		default:
			plain = false
		}
		return !plain
	})
	return plain
}
