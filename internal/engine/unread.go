package engine

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// unread is data that no rule can read.
type unread struct{ file, path string }

// Warn reports what is no problem and should be looked at all the same: where, the cause, and what to do.
func (p *Policy) Warn(warn func(place, cause, hint string)) {
	for _, u := range p.unread {
		warn(u.file+":", "no policy reads "+u.path, "the folder of a file says where its data go: correct the path there or in the policy, or remove the data")
	}
}

// unreadData finds the data of set that no reference in the policies leads to: those of a file, or the members of one at the top.
// A reference behind a variable leads everywhere; what is declared as optional is read.
func (p *program) unreadData(set *bundle.Set) []unread {
	var reads []ast.Ref
	for _, m := range p.compiler.Modules {
		ast.WalkRefs(m, func(ref ast.Ref) bool {
			if ref.HasPrefix(ast.DefaultRootRef) {
				reads = append(reads, ref.Copy())
			}
			return false
		})
	}
	optional, _ := p.optionals()
	for _, refs := range optional {
		reads = append(reads, refs...)
	}
	var out []unread
	for _, b := range set.Bundles {
		for _, d := range b.Data {
			for _, at := range placesOf(d) {
				ref := ast.DefaultRootRef.Copy()
				for _, name := range at {
					ref = ref.Append(ast.StringTerm(name))
				}
				if !mayBeAt(reads, ref) {
					out = append(out, unread{d.Path, ref.String()})
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b unread) int { return strings.Compare(a.file+"\x00"+a.path, b.file+"\x00"+b.path) })
	return out
}

// placesOf are the paths under data that a file writes, one name long at least.
func placesOf(d bundle.DataFile) [][]string {
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
