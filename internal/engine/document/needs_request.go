package document

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"
)

// NeedsRequest reports whether the rule at a path, or a rule that its value may depend on, reads input.request. Such an
// entrypoint is not evaluated for a question without an HTTP request: input.request would be undefined, and under "not" an
// undefined condition holds. Like Usage it errs on the side of more.
func NeedsRequest(c *ast.Compiler, path ast.Ref) bool {
	var queue []util.T
	for _, rule := range c.GetRulesDynamic(path) {
		queue = append(queue, rule)
	}
	seen := map[util.T]bool{}
	r := Usage{}
	for ; len(queue) > 0; queue = queue[1:] {
		rule, ok := queue[0].(*ast.Rule)
		if !ok || seen[rule] {
			continue
		}
		seen[rule] = true
		r.walk(rule)
		for dependency := range c.Graph.Dependencies(rule) {
			queue = append(queue, dependency)
		}
		if rule.Else != nil {
			queue = append(queue, rule.Else)
		}
	}
	return r[""] || r.below("request")
}
