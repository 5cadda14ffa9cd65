package document

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// Reads are the members of the input that a rule may read: more rather than fewer, as Usage has it, and to any depth.
type Reads struct {
	// paths are references below the input, each up to its first part that is no constant text.
	paths [][]string
}

// ReadsOf are the members that the rule at a path, or a rule that it may depend on, reads.
func ReadsOf(c *ast.Compiler, path ast.Ref) Reads {
	var r Reads
	for rule := range rego.Dependencies(c, path) {
		ast.WalkRefs(rule, func(ref ast.Ref) bool {
			if ref.HasPrefix(ast.InputRootRef) {
				r.paths = append(r.paths, constantPart(ref[1:]))
			}
			return false
		})
	}
	return r
}

// constantPart is the beginning of a reference in parts, up to the first that is no text.
func constantPart(ref ast.Ref) (out []string) {
	for _, t := range ref {
		name, ok := t.Value.(ast.String)
		if !ok {
			break
		}
		out = append(out, string(name))
	}
	return out
}

// Member reports whether the member at a path of names, a part of it, or what it is a part of, may be read.
func (r Reads) Member(path []string) bool {
	for _, read := range r.paths {
		if n := min(len(read), len(path)); slices.Equal(read[:n], path[:n]) {
			return true
		}
	}
	return false
}
