package check

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"

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
func (p *Program) dataAt(ref ast.Ref) []ast.Value {
	if p.tree == nil || p.replacedAt(ref) || MayOverlap(p.tree.unknown, ref) {
		return nil
	}
	nodes := []treeNode{p.tree.top()}
	for _, t := range ref[1:] {
		var next []treeNode
		for _, s := range nodes {
			if s.rules != nil && len(s.rules.Values) > 0 {
				return nil
			}
			next = append(next, s.members(t)...)
		}
		if nodes = next; len(nodes) > maxTypedValues {
			return nil
		}
	}
	var all []ast.Value
	for _, s := range nodes {
		if _, null := s.data.(ast.Null); s.rules != nil || s.data == nil || null {
			return nil
		}
		all = append(all, s.data)
	}
	return all
}

// replacedAt reports whether a "with" changes the value of ref.
func (p *Program) replacedAt(ref ast.Ref) bool {
	return slices.ContainsFunc(p.replaced, func(r ast.Ref) bool { return r.HasPrefix(ref) || ref.HasPrefix(r) })
}

// typeOfData is the type of a value of the data, one level deep.
func typeOfData(v ast.Value) types.Type {
	var of types.Type
	switch v := v.(type) {
	case ast.Object:
		if v.Len() > maxTypedValues {
			return typeOfScalar(v)
		}
		v.Foreach(func(_, member *ast.Term) { of = types.Or(of, typeOfScalar(member.Value)) })
		return types.NewObject(nil, types.NewDynamicProperty(types.S, term.OrAny(of)))
	case *ast.Array:
		if v.Len() > maxTypedValues {
			return typeOfScalar(v)
		}
		v.Foreach(func(e *ast.Term) { of = types.Or(of, typeOfScalar(e.Value)) })
		return types.NewArray(nil, term.OrAny(of))
	}
	return typeOfScalar(v)
}

func typeOfScalar(v ast.Value) types.Type {
	switch v.(type) {
	case ast.String:
		return types.S
	case ast.Number:
		return types.N
	case ast.Boolean:
		return types.B
	case ast.Object:
		return types.NewObject(nil, types.NewDynamicProperty(types.A, types.A))
	case *ast.Array:
		return types.NewArray(nil, types.A)
	}
	return types.A // null may be compared with everything
}
