package witness

import (
	"maps"
	"math/big"
	"reflect"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/access"
	"github.com/authz-sidecar/sidecar/internal/engine/partial"
	"github.com/authz-sidecar/sidecar/internal/engine/partial/formula"
)

// What literals mean for each other is not seen in their texts: a login at most 60 s ago is one at most 300 s ago. A
// proof may use the few implications below, each about one member of the document. A member that is absent meets no
// constraint.

// theory is the conjunction of all implications between the literals of a pair.
func (p *pair) theory(f *form) *formula.Formula {
	keys := slices.Sorted(maps.Keys(p.literals))
	var clauses []*formula.Formula
	for _, a := range keys {
		x := p.literals[a]
		if !x.Proves {
			continue
		}
		lit := func(key string) *formula.Formula { return asFormula(&formula.Literal{Key: key}) }
		for _, b := range keys {
			y := p.literals[b]
			if a == b || !y.Proves {
				continue
			}
			switch holds, known := implied(f, x.Constraint, y.Constraint); {
			case !known:
			case holds:
				clauses = append(clauses, formula.Any(formula.Negate(lit(a)), lit(b)))
			default:
				clauses = append(clauses, formula.Any(formula.Negate(lit(a)), formula.Negate(lit(b))))
			}
		}
	}
	return formula.All(clauses...)
}

// implied reports whether y holds wherever x does; known is false where it may or may not.
func implied(f *form, x, y partial.Constraint) (holds, known bool) {
	if x.Not || y.Not || x.Member == "" {
		return false, false
	}
	if x.Other != "" && x.Other == y.Member && x.Op != partial.Rego && x.Op != partial.Opaque &&
		(y.Op == partial.Present || notEmpty(f, y)) {
		return true, true // what a member is compared with is there
	}
	if x.Member != y.Member {
		return false, false
	}
	switch x.Op {
	case partial.Rego, partial.Opaque, partial.Any:
		return false, false
	}
	kind := f.member(x.Path).kind
	sameValue := x.Other == y.Other && reflect.DeepEqual(access.Plain(x.Value), access.Plain(y.Value))
	switch {
	case y.Op == partial.Present:
		return true, true // whatever holds of a member, it is there
	case notEmpty(f, y) && x.Op != partial.Is:
		return true, true
	case x.Op == partial.OnlyValue && y.Op == partial.Contains && sameValue && kind == listKind:
		return true, true
	case x.Op == partial.Is && x.Other == "":
		return ofValue(access.Plain(x.Value), y, kind)
	case kind == numberKind:
		return ofBound(x, y)
	case x.Op == partial.OneOf && x.Other == "" && y.Other == "":
		return ofValues(x, y, kind)
	}
	return false, false
}

// notEmpty reports whether a constraint asks a member to be another text than the empty one, and an empty one is left
// out of every document.
func notEmpty(f *form, y partial.Constraint) bool {
	m := f.member(y.Path)
	return y.Op == partial.Differs && y.Other == "" && y.Value == "" && m.kind == textKind && !m.required &&
		len(y.Path) > 1 && y.Path[0] == "token"
}

// ofValue reports whether y holds for a value.
func ofValue(v any, y partial.Constraint, kind string) (holds, known bool) {
	if y.Other != "" {
		return false, false
	}
	want := access.Plain(y.Value)
	switch y.Op {
	case partial.Is:
		return reflect.DeepEqual(v, want), true
	case partial.Differs:
		return !reflect.DeepEqual(v, want), true
	case partial.True:
		return v != false, true
	case partial.OneOf:
		values, ok := want.([]any)
		return slices.ContainsFunc(values, func(w any) bool { return reflect.DeepEqual(v, w) }), ok
	case partial.Less, partial.AtMost, partial.More, partial.AtLeast:
		n, ok := v.(float64)
		bound, fine := y.Value.(*big.Rat)
		if !ok || !fine || kind != numberKind {
			return false, false
		}
		return meets(new(big.Rat).SetFloat64(n).Cmp(bound), y.Op), true
	}
	return false, false
}

// ofValues reports whether y holds for each of the values of x, or for none.
func ofValues(x, y partial.Constraint, kind string) (holds, known bool) {
	values, _ := access.Plain(x.Value).([]any)
	for i, v := range values {
		h, k := ofValue(v, y, kind)
		if !k || i > 0 && h != holds {
			return false, false
		}
		holds, known = h, true
	}
	return holds, known
}

// meets reports whether a value that compares to a bound so is as op says.
func meets(compared int, op partial.Op) bool {
	switch op {
	case partial.Less:
		return compared < 0
	case partial.AtMost:
		return compared <= 0
	case partial.More:
		return compared > 0
	}
	return compared >= 0
}

// ofBound reports whether a bound of a number implies another one, or excludes it.
func ofBound(x, y partial.Constraint) (holds, known bool) {
	a, ok := x.Value.(*big.Rat)
	b, fine := y.Value.(*big.Rat)
	if !ok || !fine || x.Other != "" || y.Other != "" {
		return false, false
	}
	upper := func(op partial.Op) bool { return op == partial.Less || op == partial.AtMost }
	lower := func(op partial.Op) bool { return op == partial.More || op == partial.AtLeast }
	strict := func(op partial.Op) bool { return op == partial.Less || op == partial.More }
	compared := a.Cmp(b)
	switch {
	case upper(x.Op) && upper(y.Op): // m <= a, then m <= b
		return true, compared < 0 || compared == 0 && (strict(x.Op) || !strict(y.Op))
	case lower(x.Op) && lower(y.Op):
		return true, compared > 0 || compared == 0 && (strict(x.Op) || !strict(y.Op))
	case upper(x.Op) && lower(y.Op): // m <= a, then not m >= b
		return false, compared < 0 || compared == 0 && (strict(x.Op) || strict(y.Op))
	case lower(x.Op) && upper(y.Op):
		return false, compared > 0 || compared == 0 && (strict(x.Op) || strict(y.Op))
	}
	return false, false
}
