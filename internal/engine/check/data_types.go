package check

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// maxTypedValues bounds how many values of the data make up one type. The type of more is unknown.
const maxTypedValues = 10_000

// typeOfRef is the type of a reference: under input by the schema, under data by the values there, where neither a
// rule nor a "with" provides others. nil is unknown.
func (p *Program) typeOfRef(ref ast.Ref) types.Type {
	if ref.HasPrefix(ast.InputRootRef) {
		return p.compiler.TypeEnv.GetByRef(ref)
	}
	var all types.Type
	for _, data := range p.dataAt(ref) {
		all = types.Or(all, typeOfData(data))
	}
	return all
}

// dataAt are the values of the data at ref, or none where a rule or a "with" may provide others.
func (p *Program) dataAt(ref ast.Ref) []rego.Data {
	if p.tree == nil || p.replacedAt(ref) || MayOverlap(p.tree.unknown, ref) {
		return nil
	}
	nodes := []treeNode{p.tree.top()}
	for _, t := range ref[1:] {
		var next []treeNode
		for _, s := range nodes {
			if s.rules != nil && len(s.rules.Values) > 0 || s.moreThan(maxTypedValues, t) {
				return nil
			}
			next = s.appendMembers(next, t)
		}
		if nodes = next; len(nodes) > maxTypedValues {
			return nil
		}
	}
	var all []rego.Data
	for _, s := range nodes {
		if s.rules != nil || s.data == nil || s.data.Kind() == term.NullKind {
			return nil
		}
		all = append(all, s.data)
	}
	return all
}

// replacedAt reports whether a "with" changes the value of ref.
func (p *Program) replacedAt(ref ast.Ref) bool {
	for _, r := range p.replaced.targets {
		if r.HasPrefix(ref) || ref.HasPrefix(r) {
			return true
		}
	}
	return false
}

// typeOfData is the type of a value of the data, one level deep.
func typeOfData(v rego.Data) types.Type {
	kind := v.Kind()
	if kind&term.CollectionKinds == 0 || v.Len() > maxTypedValues {
		return typeOfKind(kind)
	}
	var of types.Type
	for _, member := range v.All() {
		of = types.Or(of, typeOfKind(member.Kind()))
	}
	if kind == term.ArrayKind {
		return types.NewArray(nil, term.OrAny(of))
	}
	return types.NewObject(nil, types.NewDynamicProperty(types.S, term.OrAny(of)))
}

func typeOfKind(kind term.Kinds) types.Type {
	switch kind {
	case term.StringKind:
		return types.S
	case term.NumberKind:
		return types.N
	case term.BooleanKind:
		return types.B
	case term.ObjectKind:
		return types.NewObject(nil, types.NewDynamicProperty(types.A, types.A))
	case term.ArrayKind:
		return types.NewArray(nil, types.A)
	}
	return types.A // null may be compared with everything
}
