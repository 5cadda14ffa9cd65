package rego

import (
	"iter"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Dependencies yields the rules at and below a path, and all rules that their values may depend on.
func Dependencies(c *ast.Compiler, path ast.Ref) iter.Seq[*ast.Rule] {
	return func(yield func(*ast.Rule) bool) {
		queue := append([]*ast.Rule{}, c.GetRulesDynamicWithOpts(path, ast.RulesOptions{})...)
		seen := map[*ast.Rule]bool{nil: true}
		for ; len(queue) > 0; queue = queue[1:] {
			r := queue[0]
			if seen[r] {
				continue
			}
			seen[r] = true
			if !yield(r) {
				return
			}
			queue = append(append(queue, r.Else), c.GetRulesExact(r.Ref().GroundPrefix())...)
			for d := range c.Graph.Dependencies(r) {
				if rule, ok := d.(*ast.Rule); ok {
					queue = append(queue, rule)
				}
			}
		}
	}
}
