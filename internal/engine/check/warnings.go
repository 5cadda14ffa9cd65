package check

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// CodeUnsetInput is the code of references to members of the input that nothing sets.
const CodeUnsetInput = "unset-input"

// Warnings are what does not stop a load and should be looked at, sorted.
func (p *Program) Warnings(set *bundle.Set) bundle.Problems {
	return slices.Concat(p.unreadData(set), p.noRoutes(set)).Sorted()
}

// UnsetInput finds references to members of the input that are in its schema and that questions about HTTP requests do
// not set: rules that need one are never true, and under not they always are.
func (p *Program) UnsetInput() bundle.Problems {
	var out bundle.Problems
	for _, m := range p.compiler.Modules {
		for _, root := range m.Rules {
			if rego.IsLogPolicy(root) {
				continue
			}
			for r := root; r != nil; r = r.Else {
				rego.VisitRefs(r, func(_ *ast.Term, ref ast.Ref, at *ast.Location) {
					if hint := rego.UnsetInputHint(ref); hint != "" {
						out = append(out, rego.ProblemAt(at, CodeUnsetInput, "%s is always undefined%s",
							rego.AsWritten(ref), strings.TrimSpace(hint)))
					}
				})
			}
		}
	}
	return out
}
