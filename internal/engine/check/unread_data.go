package check

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// CodeUnreadData is the code of data that no policy reads.
const CodeUnreadData = "unread-data"

// unreadData finds the data of set that no reference of the policies may lead to: whole files, or the top members of a
// file at the root. A variable may lead everywhere. Data that is declared optional counts as read.
func (p *Program) unreadData(set *bundle.Set) bundle.Problems {
	var reads []ast.Ref
	read := func(ref ast.Ref) {
		if ref.HasPrefix(ast.DefaultRootRef) {
			reads = append(reads, ref)
		}
	}
	for _, m := range p.compiler.Modules {
		read(m.Package.Path)
		for _, i := range m.Imports {
			if ref, ok := i.Path.Value.(ast.Ref); ok {
				read(ref)
			}
		}
	}
	for _, s := range p.scopes {
		for _, r := range s.refs {
			read(r.ref)
		}
	}
	for _, refs := range p.optionalPaths().of {
		reads = append(reads, refs...)
	}
	var out bundle.Problems
	for _, b := range set.Bundles {
		for _, d := range b.Data {
			for _, at := range dataPaths(&d) {
				ref := ast.DefaultRootRef.Copy()
				for _, name := range at {
					ref = ref.Append(ast.StringTerm(name))
				}
				if !MayOverlap(reads, ref) {
					w := bundle.Problem{File: d.Path, Code: CodeUnreadData}
					w.Message = "no policy reads " + ref.String() + "; " + unreadHint(ref)
					if len(at) > len(d.At) { // a member of the file
						_, w.Row, w.Col = set.Locate(at)
					}
					out = append(out, w)
				}
			}
		}
	}
	return out
}

// unreadHint says what to do about data at ref that nothing reads.
func unreadHint(ref ast.Ref) string {
	if len(ref) == 2 && ref[1].Equal(ast.StringTerm("routes")) {
		return "routes decide in policies that use the library: import data.sidecar.routes, or remove the data"
	}
	return "the folder of a file says where its data go: correct the path there or in the policy, or remove the data"
}

// dataPaths are the paths under data of the members of a file, at least one name long.
func dataPaths(d *bundle.DataFile) [][]string {
	if len(d.At) > 0 {
		return [][]string{d.At}
	}
	data, err := rego.DataOfFile(d)
	if err != nil || data.Kind() != term.ObjectKind {
		return [][]string{d.At}
	}
	var out [][]string
	for name := range data.All() {
		out = append(out, []string{name})
	}
	return out
}
