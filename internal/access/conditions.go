package access

import (
	"cmp"
	"encoding/json"
	"math/big"
	"reflect"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/engine/partial"
)

// simplified leaves out constraints that others imply; possible is false when two contradict each other.
func simplified(list []partial.Constraint) (out []partial.Constraint, possible bool) {
	for _, c := range list {
		if c.Op == partial.Present && c.Not && slices.ContainsFunc(list, func(o partial.Constraint) bool {
			return !o.Not && (o.Member == c.Member || o.Other == c.Member)
		}) {
			return nil, false
		}
		implied := c.Op == partial.Present && !c.Not && slices.ContainsFunc(list, func(o partial.Constraint) bool {
			return !o.Not && o.Op != partial.Present && (o.Member == c.Member || o.Other == c.Member)
		})
		for _, fixed := range list {
			if fixed.Op != partial.Is || fixed.Not || fixed.Other != "" || fixed.Member != c.Member {
				continue
			}
			holds, known := decided(c, fixed.Value)
			if known && !holds {
				return nil, false
			}
			implied = implied || known && c.Not || known && c.Op != partial.Is
		}
		if !implied {
			out = append(out, c)
		}
	}
	return out, true
}

// decided reports whether c holds when its member has a value, as far as that is known.
func decided(c partial.Constraint, value any) (holds, known bool) {
	if c.Other != "" {
		return false, false
	}
	switch c.Op {
	case partial.Is:
		holds = reflect.DeepEqual(Plain(c.Value), Plain(value))
	case partial.Differs:
		holds = !reflect.DeepEqual(Plain(c.Value), Plain(value))
	case partial.OneOf:
		list, ok := Plain(c.Value).([]any)
		if !ok {
			return false, false
		}
		holds = slices.ContainsFunc(list, func(v any) bool { return reflect.DeepEqual(v, Plain(value)) })
	case partial.Present:
		holds = true
	case partial.True:
		holds = value != false
	default:
		return false, false
	}
	return holds != c.Not, true
}

// conditions are constraints in the form of a report, in its order.
func (s *speaker) conditions(list []partial.Constraint) []Condition {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b partial.Constraint) int {
		return cmp.Or(cmp.Compare(orderOf(a), orderOf(b)), cmp.Compare(rankOf(subject(a)), rankOf(subject(b))),
			cmp.Compare(subject(a), subject(b)), cmp.Compare(differsLast(a), differsLast(b)),
			cmp.Compare(s.text(a), s.text(b)))
	})
	out := make([]Condition, 0, len(list))
	for _, c := range list {
		out = append(out, s.condition(c))
	}
	return slices.CompactFunc(out, func(a, b Condition) bool { return a.Text == b.Text && a.Op == b.Op })
}

// orderOf puts what is asserted first, then what is denied, then what is told as it is written.
func orderOf(c partial.Constraint) int {
	switch {
	case c.Op == partial.Opaque:
		return 3
	case c.Op == partial.Rego, c.Op == partial.Any:
		return 2
	case c.Not:
		return 1
	}
	return 0
}

// subject is the member that a condition is about: of two, that of the token.
func subject(c partial.Constraint) string {
	if c.Other != "" && rankOf(c.Other) < rankOf(c.Member) {
		return c.Other
	}
	return c.Member
}

func differsLast(c partial.Constraint) int {
	if c.Op == partial.Differs {
		return 1
	}
	return 0
}

func (s *speaker) condition(c partial.Constraint) Condition {
	out := Condition{
		Member: c.Member, Op: string(c.Op), Not: c.Not, Other: c.Other, Text: s.text(c), File: c.File, Row: c.Row,
	}
	asserted := c
	asserted.Not = false
	out.positive = s.text(asserted)
	if c.Op == partial.Rego || c.Op == partial.Opaque {
		out.Rego = c.Rego
	}
	for _, r := range c.Rules {
		out.Rules = append(out.Rules, Place{Rule: r.Path, File: r.File, Row: r.Row})
	}
	for _, way := range c.Any {
		out.Any = append(out.Any, Alternative{All: s.conditions(way)})
	}
	if c.Value != nil {
		out.Value, _ = json.Marshal(exact(c.Value))
	}
	if bound, ok := c.Value.(*big.Rat); ok && times[c.Member][0] != "" {
		from := new(big.Rat).Sub(bound, new(big.Rat).SetInt64(s.now.Unix()))
		if from.IsInt() && from.Num().IsInt64() {
			n := from.Num().Int64()
			out.FromNow = &n
		}
	}
	return out
}

// exact is a value for JSON, with whole numbers as they are.
func exact(v any) any {
	switch v := v.(type) {
	case *big.Rat:
		if v.IsInt() {
			return v.Num()
		}
		f, _ := v.Float64()
		return f
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			out = append(out, exact(e))
		}
		return out
	}
	return v
}
