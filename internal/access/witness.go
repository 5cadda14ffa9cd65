package access

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/engine/partial"
)

// A witness is a document that is made up to meet the constraints of one alternative. It starts from the token without
// any right, so that constraints with Not hold, and is given what each of the other constraints asks for. Whether it
// is allowed is for the policies to say: nothing here has to be right.

// maker makes one document. Constraints that leave a choice are met differently by each variant.
type maker struct {
	doc     map[string]any
	variant int
	fresh   int
}

// variants is how many documents are tried for one alternative.
const variants = 6

// meet changes the document so that it meets constraints, as far as it knows how.
func (m *maker) meet(list []partial.Constraint) {
	for _, pass := range []func(partial.Constraint) bool{isFixed, isPair, isOther} {
		for _, c := range list {
			switch {
			case c.Op == partial.Any && len(c.Any) > 0 && pass(c):
				m.meet(c.Any[m.variant%len(c.Any)])
			case !c.Not && len(c.Path) > 0 && pass(c):
				m.meetOne(c)
			}
		}
	}
}

// isFixed, isPair and isOther part constraints by the order in which they are met: values first, then members that are
// equal to another, then whatever a free value does for.
func isFixed(c partial.Constraint) bool {
	return c.Other == "" && (c.Op == partial.Is || c.Op == partial.OneOf || c.Op == partial.OnlyValue)
}

func isPair(c partial.Constraint) bool { return c.Other != "" }

func isOther(c partial.Constraint) bool { return !isFixed(c) && !isPair(c) }

func (m *maker) meetOne(c partial.Constraint) {
	value := Plain(c.Value)
	if c.Other != "" {
		value = m.shared(c)
	}
	have, isThere := get(m.doc, c.Path)
	switch c.Op {
	case partial.Is:
		m.set(c.Path, value)
	case partial.OneOf:
		if list, ok := value.([]any); ok && len(list) > 0 {
			m.set(c.Path, list[m.variant%len(list)])
		}
	case partial.OnlyValue:
		m.set(c.Path, []any{value})
	case partial.Contains:
		list, _ := have.([]any)
		m.set(c.Path, append(list[:len(list):len(list)], value))
	case partial.Length:
		m.set(c.Path, m.elements(value))
	case partial.AtLeast, partial.AtMost, partial.More, partial.Less:
		m.set(c.Path, beside(c.Op, c.Value))
	case partial.StartsWith:
		m.set(c.Path, fmt.Sprint(value, "x"))
	case partial.EndsWith:
		m.set(c.Path, fmt.Sprint("x", value))
	case partial.Includes:
		m.set(c.Path, value)
	case partial.Differs, partial.Present, partial.True:
		if !isThere || have == false {
			m.set(c.Path, m.anything(c.Path))
		}
	}
}

// shared is the value that two members have in common, after giving it to the other one.
func (m *maker) shared(c partial.Constraint) any {
	if v, ok := get(m.doc, c.OtherPath); ok {
		return v
	}
	v, ok := get(m.doc, c.Path)
	if list, isList := v.([]any); isList && len(list) > 0 && (c.Op == partial.OnlyValue || c.Op == partial.Contains) {
		v = list[0]
	}
	if !ok || v == nil {
		v = m.text()
	}
	m.set(c.OtherPath, v)
	return v
}

// text is a value that no policy names.
func (m *maker) text() string {
	m.fresh++
	return fmt.Sprintf("some-value-%d", m.fresh)
}

// anything is a value of the type that a member has. That of what is not typed, the variants find out.
func (m *maker) anything(path []any) any {
	last, _ := path[len(path)-1].(string)
	isList := len(path) == 3 && (path[1] == "headers" || path[1] == "query")
	switch {
	case path[0] == "context", len(path) > 2 && path[1] == "claims":
		return []any{m.text(), true, 7, []any{"some-value"}, map[string]any{"id": "some-value"},
			"some-value"}[m.variant%6]
	case isList, slices.Contains([]string{"scopes", "audiences", "roles", "groups", "permissions", "amr"}, last):
		return []any{m.text(), m.text()}
	case slices.Contains([]string{"time", "level", "issued_at", "not_before", "expires_at", "age", "port"}, last):
		return 7
	case slices.Contains([]string{"stale", "verified", "body_truncated"}, last):
		return true
	case slices.Contains([]string{"claims", "subject", "auth", "actor", "binding", "action", "resource"}, last):
		return map[string]any{}
	}
	return m.text()
}

func (m *maker) elements(n any) any {
	count, _ := n.(float64)
	list := []any{}
	for range min(int(count), 16) {
		list = append(list, m.text())
	}
	return list
}

// beside is a number that is as op says of bound.
func beside(op partial.Op, bound any) any {
	r, ok := bound.(*big.Rat)
	if !ok {
		return bound
	}
	down := new(big.Int).Div(r.Num(), r.Denom()).Int64() // rounded down
	whole := r.IsInt()
	switch {
	case op == partial.AtMost, op == partial.AtLeast && whole:
		return down
	case op == partial.Less && whole:
		return down - 1
	case op == partial.Less:
		return down
	}
	return down + 1
}

// Plain is the value of a condition as encoding/json gives it.
func Plain(v any) any {
	switch v := v.(type) {
	case *big.Rat:
		f, _ := v.Float64()
		return f
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			out = append(out, Plain(e))
		}
		return out
	}
	return v
}

// get returns the member of a document at a path of names and indexes.
func get(at any, path []any) (any, bool) {
	for _, part := range path {
		switch key := part.(type) {
		case string:
			object, _ := at.(map[string]any)
			v, ok := object[key]
			if !ok {
				return nil, false
			}
			at = v
		case int:
			list, _ := at.([]any)
			if key < 0 || key >= len(list) {
				return nil, false
			}
			at = list[key]
		}
	}
	return at, true
}

// maxIndex bounds the indexes of arrays that are filled up.
const maxIndex = 16

// set gives a member of the document a value, and makes what is above it. What is known of the request stays.
func (m *maker) set(path []any, value any) {
	if len(path) > 1 && path[0] == "request" {
		switch path[1] {
		case "method", "path", "raw_path", "segments":
			return
		}
	}
	if v, ok := with(m.doc, path, value).(map[string]any); ok {
		m.doc = v
	}
}

// with is at with a value at a path. at is not changed.
func with(at any, path []any, value any) any {
	if len(path) == 0 {
		return value
	}
	switch key := path[0].(type) {
	case string:
		object, _ := at.(map[string]any)
		out := map[string]any{}
		for k, v := range object {
			out[k] = v
		}
		out[key] = with(out[key], path[1:], value)
		return out
	case int:
		list, _ := at.([]any)
		if key < 0 || key > maxIndex {
			return at
		}
		out := append([]any{}, list...)
		for len(out) <= key {
			out = append(out, "")
		}
		out[key] = with(out[key], path[1:], value)
		return out
	}
	return at
}
