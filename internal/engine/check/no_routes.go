package check

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// CodeNoRoutes is the code of policies that decide by routes where there are none.
const CodeNoRoutes = "no-routes"

// noRoutes finds the first reference to the route of a request, outside the library, where neither data nor a rule
// provides routes. The library declares data.routes optional, so that the reference itself is no problem.
func (p *Program) noRoutes(set *bundle.Set) bundle.Problems {
	routes := rego.RefOf("routes")
	if hasRoutes(dataOf(set)) || len(p.compiler.GetRulesDynamicWithOpts(routes, ast.RulesOptions{})) > 0 {
		return nil
	}
	used := []ast.Ref{rego.RefOf("sidecar/routes/route"), rego.RefOf("sidecar/routes/exists")}
	var out bundle.Problems
	for _, s := range p.scopes {
		if s.rule.Module.Package.Path.HasPrefix(rego.RefOf("sidecar")) {
			continue
		}
		for _, r := range s.refs {
			if slices.ContainsFunc(used, r.ref.HasPrefix) {
				out = append(out, rego.ProblemAt(r.at, CodeNoRoutes,
					"the policies ask for the route of a request, and there "+
						"are no routes under data.routes: no request takes one; write them into routes/data.yaml "+
						"below a "+
						"policy directory, or name the directory that has them"))
			}
		}
	}
	out = out.Sorted()
	return out[:min(len(out), 1)]
}

// hasRoutes reports whether data have an object with members at data.routes.
func hasRoutes(data rego.Data) bool {
	if data == nil {
		return false
	}
	routes := data.Member("routes")
	return routes != nil && routes.Kind() == term.ObjectKind && routes.Len() > 0
}
