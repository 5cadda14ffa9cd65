package check

import (
	"slices"
	"strings"

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
	for _, s := range p.scopes {
		if s.logged {
			continue
		}
		for _, r := range s.refs {
			if hint := rego.UnsetInputHint(r.ref); hint != "" {
				out = append(out, rego.ProblemAt(r.at, CodeUnsetInput, "%s is always undefined%s",
					rego.AsWritten(r.ref), strings.TrimSpace(hint)))
			}
		}
	}
	return out
}
