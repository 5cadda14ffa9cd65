package term

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/types"
)

// Kinds is a set of kinds of values: the types of JSON, and the set.
type Kinds uint8

// The kinds, one bit each.
const (
	NullKind Kinds = 1 << iota
	BooleanKind
	NumberKind
	StringKind
	ArrayKind
	ObjectKind
	SetKind

	scalarKinds     = BooleanKind | NumberKind | StringKind // null is compared with everything
	CollectionKinds = ArrayKind | ObjectKind | SetKind
	AnyKind         = NullKind | scalarKinds | CollectionKinds
)

// KindsOf are the kinds that a value of type t may have: all kinds for nil.
func KindsOf(t types.Type) Kinds {
	switch t := Unnamed(t).(type) {
	case types.Null:
		return NullKind
	case types.Boolean:
		return BooleanKind
	case types.Number:
		return NumberKind
	case types.String:
		return StringKind
	case *types.Array:
		return ArrayKind
	case *types.Object:
		return ObjectKind
	case *types.Set:
		return SetKind
	case types.Any:
		var all Kinds
		for _, one := range t {
			all |= KindsOf(one)
		}
		if all != 0 {
			return all
		}
	}
	return AnyKind
}

// IsCollection reports whether values of type t are arrays, objects or sets.
func IsCollection(t types.Type) bool { return KindsOf(t)&^CollectionKinds == 0 }

// Disjoint reports whether no kind of value has both types.
func Disjoint(a, b types.Type) bool { return KindsOf(a)&KindsOf(b) == 0 }

// Differ reports whether two types are known, have no kind in common, and neither may be null.
func Differ(a, b types.Type) bool {
	return a != nil && b != nil && Disjoint(a, b) && (KindsOf(a)|KindsOf(b))&NullKind == 0
}

// String is the kinds in words: "a number or a string".
func (k Kinds) String() string {
	var names []string
	for i, name := range []string{"null", "a boolean", "a number", "a string", "an array", "an object", "a set"} {
		if k&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " or ")
}

// Unnamed is the type that a named type, an argument of a builtin, stands for.
func Unnamed(t types.Type) types.Type {
	if named, ok := t.(*types.NamedType); ok {
		return named.Type
	}
	return t
}

// OrAny is t, or any type where t is unknown.
func OrAny(t types.Type) types.Type {
	if t == nil {
		return types.A
	}
	return t
}

// ElementsOf is the type of the elements of a collection, or nil where it is unknown.
func ElementsOf(t types.Type) types.Type {
	switch t := Unnamed(t).(type) {
	case *types.Array:
		of := t.Dynamic()
		for i := range t.Len() {
			of = types.Or(of, t.Select(i))
		}
		return of
	case *types.Set:
		return t.Of()
	case *types.Object:
		var of types.Type
		if d := t.DynamicProperties(); d != nil {
			of = d.Value
		}
		for _, s := range t.StaticProperties() {
			of = types.Or(of, s.Value)
		}
		return of
	case types.Any:
		var of types.Type
		for _, one := range t {
			inner := ElementsOf(one)
			if inner == nil {
				return nil
			}
			of = types.Or(of, inner)
		}
		return of
	}
	return nil
}
