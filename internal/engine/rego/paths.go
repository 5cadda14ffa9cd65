package rego

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// RefOf is the reference that a path names. Its parts become strings, never Rego.
func RefOf(path string) ast.Ref {
	ref := ast.Ref{ast.DefaultRootDocument}
	for part := range strings.SplitSeq(path, "/") {
		ref = append(ref, ast.StringTerm(part))
	}
	return ref
}

func PathOf(ref ast.Ref) string {
	parts := make([]string, 0, len(ref))
	for _, t := range ref[1:] {
		if s, ok := t.Value.(ast.String); ok {
			parts = append(parts, string(s))
		}
	}
	return strings.Join(parts, "/")
}

func Dotted(path string) string { return strings.ReplaceAll(path, "/", ".") }

func LastName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// constantPrefix returns the names that a path begins with; the first, data or the rule's own, may be a variable.
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

// AsWritten is ref as an author writes it: variables of the compiler are blanks.
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
