package witness

import (
	"github.com/authz-sidecar/sidecar/internal/engine/partial"
	"github.com/authz-sidecar/sidecar/internal/engine/partial/formula"
)

// pair are the conditions of both sides for one shape, with the literals of both. Literals that mean something else in
// each side have keys of their own.
type pair struct {
	old, new *formula.Formula
	literals map[string]*partial.Literal
}

func newPair(old, new *program, a, b *partial.Residual) *pair {
	p := &pair{literals: map[string]*partial.Literal{}}
	p.old = p.marked(old, a, " @old")
	p.new = p.marked(new, b, " @new")
	return p
}

func (p *pair) marked(side *program, r *partial.Residual, mark string) *formula.Formula {
	keep := func(l *formula.Literal) *formula.Formula {
		literal := side.Literal(r, l)
		key := l.Key
		if !literal.Proves {
			key += mark
		}
		p.literals[key] = literal
		return asFormula(&formula.Literal{Body: l.Body, Key: key})
	}
	return r.Formula.Map(func(l *formula.Literal) *formula.Formula { return partial.Expanded(l).Map(keep) })
}

func asFormula(l *formula.Literal) *formula.Formula {
	return &formula.Formula{Op: formula.Lit, Literal: l}
}

// ways are the alternatives of a condition.
func ways(f *formula.Formula) []*formula.Formula {
	if f.Op == formula.Or {
		return f.Parts
	}
	return []*formula.Formula{f}
}

// open are the ways of allowing that are not proved to be among those of denying: each with the condition that the
// other side does not hold. theory are implications between literals.
func open(allowing, denying, theory *formula.Formula) (out []*formula.Formula) {
	never := formula.Negate(denying)
	for _, way := range ways(allowing) {
		goal := propagated(formula.All(way, never))
		steps := maxSplits
		if !refuted(goal, &steps) && !refuted(formula.All(goal, theory), &steps) {
			out = append(out, goal)
		}
	}
	return out
}

// maxSplits bounds the cases of one proof.
const maxSplits = 2000

// refuted reports whether no assignment of the literals makes f true. steps bounds the cases.
func refuted(f *formula.Formula, steps *int) bool {
	f = propagated(f)
	switch {
	case f.IsFalse():
		return true
	case f.IsTrue():
		return false
	}
	*steps--
	if *steps <= 0 {
		return false
	}
	l := choice(f)
	if l == nil {
		return false // literals alone, which do not contradict each other
	}
	return refuted(assigned(f, map[string]bool{l.Key: true}), steps) &&
		refuted(assigned(f, map[string]bool{l.Key: false}), steps)
}

// choice is a literal of an alternative within f, or nil where there is none.
func choice(f *formula.Formula) *formula.Literal {
	var found *formula.Literal
	visit := func(p *formula.Formula) {
		if p.Op == formula.Or && found == nil {
			p.Literals(func(l *formula.Literal) {
				if found == nil {
					found = l
				}
			})
		}
	}
	visit(f)
	for _, p := range f.Parts {
		visit(p)
	}
	return found
}

// propagated is f with the literals that must hold, or must not, put in place everywhere else.
func propagated(f *formula.Formula) *formula.Formula {
	for {
		units := map[string]bool{}
		parts := []*formula.Formula{f}
		if f.Op == formula.And {
			parts = f.Parts
		}
		var rest []*formula.Formula
		for _, p := range parts {
			switch p.Op {
			case formula.Lit:
				if held, known := units[p.Literal.Key]; known && !held {
					return formula.Any()
				}
				units[p.Literal.Key] = true
			case formula.Not:
				if held, known := units[p.Parts[0].Literal.Key]; known && held {
					return formula.Any()
				}
				units[p.Parts[0].Literal.Key] = false
			default:
				rest = append(rest, p)
			}
		}
		if len(units) == 0 || len(rest) == 0 {
			return f
		}
		changed := false
		all := make([]*formula.Formula, 0, len(parts))
		for _, p := range parts {
			if p.Op == formula.Lit || p.Op == formula.Not {
				all = append(all, p)
				continue
			}
			q := assigned(p, units)
			changed = changed || q.Text() != p.Text()
			all = append(all, q)
		}
		f = formula.All(all...)
		if !changed {
			return f
		}
	}
}

// assigned is f with the values of literals in their places.
func assigned(f *formula.Formula, values map[string]bool) *formula.Formula {
	return f.Map(func(l *formula.Literal) *formula.Formula {
		held, known := values[l.Key]
		switch {
		case !known:
			return asFormula(l)
		case held:
			return formula.All()
		}
		return formula.Any()
	})
}
