package rego

import (
	"bytes"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// CodeFormat is the code of the problem that formatting a file would change what it says.
const CodeFormat = "format_error"

// maxFormattings bounds how often a text is formatted until it stays the same: OPA's formatter settles at the second
// run in rare cases.
const maxFormattings = 3

// Format returns the text of a module as OPA's formatter writes it. path is what problems name. A text that is no
// module is a problem, and so is one whose formatted text would not be the same module.
func Format(path string, raw []byte) ([]byte, bundle.Problems) {
	parser := ParserOptions(nil)
	before, problems, _ := parseModule(path, raw, parser)
	if problems != nil {
		return nil, problems
	}
	formatted, settled := bytes.TrimPrefix(raw, byteOrderMark), false
	opts := format.Opts{ParserOptions: &parser, RegoVersion: ast.RegoV1}
	for range maxFormattings {
		next, err := format.SourceWithOpts(path, formatted, opts)
		if err != nil {
			return nil, bundle.Problems{changed(path)}
		}
		if settled = bytes.Equal(formatted, next); settled {
			break
		}
		formatted = next
	}
	after, err := ast.ParseModuleWithOpts(path, string(formatted), parser)
	if err != nil || after == nil || !settled || !sameModule(before, after) {
		return nil, bundle.Problems{changed(path)}
	}
	return formatted, nil
}

func changed(path string) bundle.Problem {
	return bundle.Problem{File: path, Code: CodeFormat, Message: "OPA's formatter would change what the file says: " +
		"the file is left as it is"}
}

// sameModule reports whether two modules say the same. The formatter sorts imports, and writes := in heads of rules.
func sameModule(a, b *ast.Module) bool {
	return slices.Equal(normalized(a), normalized(b)) && a.Equal(b)
}

// normalized changes m so that Equal overlooks what the formatter may change. It returns which heads of m have a key
// and a value: Equal panics where only one of two has.
func normalized(m *ast.Module) (shapes []bool) {
	slices.SortStableFunc(m.Imports, func(x, y *ast.Import) int { return x.Compare(y) })
	ast.WalkRules(m, func(r *ast.Rule) bool {
		r.Head.Assign = false
		shapes = append(shapes, r.Head.Key == nil, r.Head.Value == nil)
		return false
	})
	return shapes
}
