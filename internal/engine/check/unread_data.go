package check

import (
	"cmp"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// UnreadData is data that no rule reads.
type UnreadData struct {
	// File is the file with the data, Path the reference to it: data.x.
	File, Path string
}

// UnreadData finds the data of set that no reference of the policies may lead to: whole files, or the top members of a
// file at the root. A variable may lead everywhere. Data that is declared optional counts as read.
func (p *Program) UnreadData(set *bundle.Set) []UnreadData {
	var reads []ast.Ref
	for _, m := range p.compiler.Modules {
		ast.WalkRefs(m, func(ref ast.Ref) bool {
			if ref.HasPrefix(ast.DefaultRootRef) {
				reads = append(reads, ref.Copy())
			}
			return false
		})
	}
	optional, _ := p.optionalPaths()
	for _, refs := range optional {
		reads = append(reads, refs...)
	}
	var out []UnreadData
	for _, b := range set.Bundles {
		for _, d := range b.Data {
			for _, at := range dataPaths(d) {
				ref := ast.DefaultRootRef.Copy()
				for _, name := range at {
					ref = ref.Append(ast.StringTerm(name))
				}
				if !MayOverlap(reads, ref) {
					out = append(out, UnreadData{d.Path, ref.String()})
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b UnreadData) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Path, b.Path))
	})
	return out
}

// dataPaths are the paths under data of the members of a file, at least one name long.
func dataPaths(d bundle.DataFile) [][]string {
	members, ok := d.Value.(map[string]any)
	if len(d.At) > 0 || !ok {
		return [][]string{d.At}
	}
	var out [][]string
	for name := range members {
		out = append(out, []string{name})
	}
	return out
}
