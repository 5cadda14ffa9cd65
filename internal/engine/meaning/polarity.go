package meaning

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// polarity says what it means for a request that more of a rule holds.
type polarity uint8

// A rule of which more holds allows more, or less, or sometimes the one and sometimes the other.
const (
	positive polarity = 1 << iota
	negative
)

func (p polarity) bearing() Bearing {
	return [...]Bearing{Aside, Allows, Denies, Both}[p]
}

func (p polarity) turned() polarity {
	if p == positive {
		return negative
	}
	return positive
}

// polarityOf says how the rules bear on whether an entrypoint allows. Rules that only bear on other members of the
// answer, such as reasons, are left out.
func polarityOf(compiler *ast.Compiler, entrypoint string) map[string]polarity {
	w := &polarities{compiler: compiler, of: map[string]polarity{}, seen: map[*ast.Rule]polarity{}}
	for _, root := range compiler.GetRulesExact(rego.RefOf(entrypoint)) {
		chain := []*ast.Rule{}
		for r := root; r != nil; r = r.Else {
			chain = append(chain, r)
		}
		w.of[pathOf(root)] |= positive
		last := len(chain) - 1
		for last >= 0 && !mayAllow(chain[last]) {
			last--
		}
		for _, r := range chain[:last+1] {
			if mayAllow(r) {
				w.body(r.Body, positive, beside(r))
			} else {
				w.body(r.Body, negative, nil) // before a branch that allows
			}
		}
	}
	return w.of
}

// mayAllow reports whether the value of a branch may be true, or an object whose member allow is.
func mayAllow(r *ast.Rule) bool {
	value := answer(r)
	if object, ok := value.Value.(ast.Object); ok {
		if value = object.Get(ast.StringTerm("allow")); value == nil {
			return false
		}
	}
	return !value.Equal(ast.BooleanTerm(false))
}

// answer is the value of a branch, which the compiler may have moved to the body.
func answer(r *ast.Rule) *ast.Term {
	if r.Head.Value == nil {
		return ast.BooleanTerm(true)
	}
	for _, x := range r.Body {
		if !x.IsEquality() {
			continue
		}
		for i := range 2 {
			if x.Operand(i).Equal(r.Head.Value) {
				return x.Operand(1 - i)
			}
		}
	}
	return r.Head.Value
}

// beside are the variables of an answer that stand for other members than allow.
func beside(r *ast.Rule) ast.VarSet {
	out := ast.NewVarSet()
	if object, ok := answer(r).Value.(ast.Object); ok {
		object.Foreach(func(key, value *ast.Term) {
			if v, is := value.Value.(ast.Var); is && !key.Equal(ast.StringTerm("allow")) {
				out.Add(v)
			}
		})
	}
	return out
}

type polarities struct {
	compiler *ast.Compiler
	of       map[string]polarity
	seen     map[*ast.Rule]polarity
}

// body follows the rules that conditions name. without are variables whose making does not matter.
func (w *polarities) body(body ast.Body, p polarity, without ast.VarSet) {
	empty := emptied(body)
	for _, x := range body {
		if makesOnly(x, without) {
			continue
		}
		sign := p
		if x.Negated {
			sign = p.turned()
		}
		switch terms := x.Terms.(type) {
		case *ast.Not:
			w.body(terms.Body, sign.turned(), nil)
			continue
		case *ast.Every:
			w.refs(terms.Domain, sign.turned()) // fewer elements are met more easily
			w.body(terms.Body, sign, nil)
			continue
		}
		if empty[x] {
			sign = sign.turned()
		}
		w.refs(x, sign)
	}
}

// emptied are the expressions of a body whose collection must be empty: count(x) == 0, and x == set(), with those that
// put the collection into a variable.
func emptied(body ast.Body) map[*ast.Expr]bool {
	out := map[*ast.Expr]bool{}
	for _, x := range body {
		if !x.IsCall() || len(x.Operands()) != 2 {
			continue
		}
		a, b := x.Operand(0), x.Operand(1)
		equal := x.IsEquality() || x.Operator().String() == ast.Equal.Name
		for _, sides := range [][2]*ast.Term{{a, b}, {b, a}} {
			set, isSet := sides[1].Value.(ast.Set)
			switch {
			case equal && isSet && set.Len() == 0:
				out[x] = true
				markMakers(body, sides[0], out)
			case equal && sides[1].Equal(ast.InternedTerm(0)):
				markCounts(body, sides[0], out)
			}
		}
	}
	return out
}

// markCounts marks the expression that puts a count into a variable, and those that made what is counted.
func markCounts(body ast.Body, v *ast.Term, out map[*ast.Expr]bool) {
	for _, x := range body {
		if x.IsCall() && x.Operator().String() == ast.Count.Name && len(x.Operands()) == 2 && x.Operand(1).Equal(v) {
			out[x] = true
			markMakers(body, x.Operand(0), out)
		}
	}
}

// markMakers marks the expressions that put something into a variable.
func markMakers(body ast.Body, v *ast.Term, out map[*ast.Expr]bool) {
	for _, x := range body {
		if x.IsEquality() && isVar(v) && (x.Operand(0).Equal(v) || x.Operand(1).Equal(v)) {
			out[x] = true
		}
	}
}

func isVar(t *ast.Term) bool {
	_, ok := t.Value.(ast.Var)
	return ok
}

// makesOnly reports whether an expression only puts a value into one of some variables.
func makesOnly(x *ast.Expr, vars ast.VarSet) bool {
	if !x.IsCall() || x.Negated {
		return false
	}
	made := x.Operands()
	if !x.IsEquality() {
		made = made[len(made)-1:]
	}
	return slices.ContainsFunc(made, func(t *ast.Term) bool {
		v, ok := t.Value.(ast.Var)
		return ok && vars.Contains(v)
	})
}

// refs follows the references in x.
func (w *polarities) refs(x any, p polarity) {
	ast.WalkRefs(x, func(ref ast.Ref) bool {
		if !ref.HasPrefix(ast.DefaultRootRef) {
			return false
		}
		for _, rule := range w.compiler.GetRulesDynamicWithOpts(ref, ast.RulesOptions{}) {
			w.rule(rule, p)
		}
		return false
	})
}

func (w *polarities) rule(root *ast.Rule, p polarity) {
	if w.seen[root]&p != 0 {
		return
	}
	w.seen[root] |= p
	w.of[pathOf(root)] |= p
	for r := root; r != nil; r = r.Else {
		w.body(r.Body, p, nil)
		for _, t := range []*ast.Term{r.Head.Key, r.Head.Value} {
			if t != nil {
				w.refs(t, p)
			}
		}
	}
}
