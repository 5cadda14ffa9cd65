package document

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// NeedsRequest reports whether the rule at a path, or a rule that it may depend on, reads input.request. Such an
// entrypoint is not evaluated for a question without an HTTP request: input.request would be undefined, and "not"
// makes an undefined condition true.
func NeedsRequest(c *ast.Compiler, path ast.Ref) bool {
	u := Usage{}
	for rule := range rego.Dependencies(c, path) {
		u.walk(rule)
		if u[""] || u.below("request") {
			return true
		}
		clear(u)
	}
	return false
}
