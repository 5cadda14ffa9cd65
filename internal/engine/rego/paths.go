package rego

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// RefOf is the reference of a path such as "authz/decision". Its parts become strings and are never parsed as Rego.
func RefOf(path string) ast.Ref {
	ref := ast.Ref{ast.DefaultRootDocument}
	for part := range strings.SplitSeq(path, "/") {
		ref = append(ref, ast.StringTerm(part))
	}
	return ref
}

// RefOfSegments is the reference to the names of a path under data. A name may be any text.
func RefOfSegments(names []string) ast.Ref {
	ref := ast.DefaultRootRef.Copy()
	for _, name := range names {
		ref = ref.Append(ast.StringTerm(name))
	}
	return ref
}

// PathOf is the path of a reference below data: its strings.
func PathOf(ref ast.Ref) string {
	parts := make([]string, 0, len(ref))
	for _, t := range ref[1:] {
		if s, ok := t.Value.(ast.String); ok {
			parts = append(parts, string(s))
		}
	}
	return strings.Join(parts, "/")
}

// Dotted is a path as messages show it, below "data.": authz.decision.
func Dotted(path string) string { return strings.ReplaceAll(path, "/", ".") }

// LastName is the last part of a path.
func LastName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// constantPrefix are the names that a reference begins with, up to its first variable. A first variable counts as a
// name, unless it is data.
func constantPrefix(ref ast.Ref) []string {
	var names []string
	for i, t := range ref {
		switch v := t.Value.(type) {
		case ast.Var:
			if i > 0 {
				return names
			}
			if !t.Equal(ast.DefaultRootDocument) {
				names = append(names, string(v))
			}
		case ast.String:
			names = append(names, string(v))
		default:
			return names
		}
	}
	return names
}

// AsWritten is ref with "_" for its variables: authors have not written those that the compiler made.
func AsWritten(ref ast.Ref) string {
	out := make(ast.Ref, len(ref))
	for i, t := range ref {
		out[i] = t
		if i > 0 && !ast.IsConstant(t.Value) {
			out[i] = ast.VarTerm("_")
		}
	}
	return out.String()
}
