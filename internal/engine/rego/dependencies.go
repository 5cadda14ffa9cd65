package rego

import (
	"iter"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Dependencies yields the rules at and below a path, and all rules that their values may depend on. Package system is
// no exception: a reference such as data[x] leads there too.
func Dependencies(c *ast.Compiler, path ast.Ref) iter.Seq[*ast.Rule] {
	return func(yield func(*ast.Rule) bool) {
		queue := slices.Clone(c.GetRulesDynamicWithOpts(path, ast.RulesOptions{IncludeHiddenModules: true}))
		seen, named := map[*ast.Rule]bool{nil: true}, map[string]bool{}
		for ; len(queue) > 0; queue = queue[1:] {
			r := queue[0]
			if seen[r] {
				continue
			}
			seen[r] = true
			if !yield(r) {
				return
			}
			queue = append(queue, r.Else)
			// Rules of one name are queued once: each of many would queue all of them else.
			if name := r.Ref().GroundPrefix(); !named[name.String()] {
				named[name.String()] = true
				queue = append(queue, c.GetRulesExact(name)...)
			}
			for d := range c.Graph.Dependencies(r) {
				if rule, ok := d.(*ast.Rule); ok {
					queue = append(queue, rule)
				}
			}
		}
	}
}
