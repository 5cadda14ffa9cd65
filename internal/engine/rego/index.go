package rego

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// SkipIndexes takes away the rule indexes of a compiled program that cost an evaluation more than they save. No answer
// changes, and neither does any error: an index only leaves out rules that turn out undefined, and those that are no
// longer left out are undefined before they reach anything that can fail.
func SkipIndexes(c *ast.Compiler) {
	c.RuleTree.DepthFirst(func(node *ast.TreeNode) bool {
		if node.Index != nil {
			if all := worthless(node); all != nil {
				node.Index = &allRules{all, node.Index}
			}
		}
		return false
	})
}

// dropIndexes takes away all rule indexes of a compiled program.
func dropIndexes(c *ast.Compiler) {
	c.RuleTree.DepthFirst(func(node *ast.TreeNode) bool {
		if node.Index != nil {
			if all, err := node.Index.AllRules(nil); err == nil {
				node.Index = &allRules{all, node.Index}
			}
		}
		return false
	})
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
