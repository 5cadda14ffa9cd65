package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/suggest"
)

// CodeEntrypoint is the code of an entrypoint that does not exist, or cannot be one.
const CodeEntrypoint = "entrypoint_error"

// Entrypoints lists the paths that callers may ask for, sorted: rules with the annotation "entrypoint: true", and the
// named rules, which must exist.
func Entrypoints(compiler *ast.Compiler, named []string) ([]string, bundle.Problems) {
	var paths []string
	var problems bundle.Problems
	for _, ref := range compiler.GetAnnotationSet().Flatten() {
		if !ref.Annotations.Entrypoint {
			continue
		}
		path := rego.PathOf(ref.Path)
		cause, _ := EntrypointProblem(compiler, path)
		if ref.Annotations.Scope == "package" {
			cause = "annotate a rule, not its package"
		}
		if cause != "" {
			problems = append(problems,
				rego.ProblemAt(ref.Annotations.Location, CodeEntrypoint, "%s cannot be an entrypoint: %s", ref.Path,
					cause))
		}
		paths = append(paths, path)
	}
	for _, path := range named {
		path = strings.Trim(path, "/")
		if cause, at := EntrypointProblem(compiler, path); cause != "" {
			if cause == none {
				cause += "; write it, or have the configuration name one that exists" + candidates(compiler)
			}
			p := rego.ProblemAt(at, CodeEntrypoint,
				"data.%s, which the configuration names, cannot be an entrypoint: %s",
				rego.Dotted(path), cause)
			if at == nil {
				p.File = "configuration"
			}
			problems = append(problems, p)
		}
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return slices.Compact(paths), problems.Sorted()
}

// EntrypointProblem says why a path cannot be an entrypoint, and the location of the reason, or is empty.
func EntrypointProblem(compiler *ast.Compiler, path string) (cause string, at *ast.Location) {
	ref := rego.RefOf(path)
	rules := compiler.GetRulesExact(ref)
	if len(rules) == 0 {
		return noRule(compiler, ref)
	}
	switch r := rules[0]; {
	case len(r.Head.Args) > 0:
		return "it is a function", nil
	case !r.Ref().IsGround():
		return builtByParts(ref), r.Location
	}
	return "", nil
}

// none is the cause where nothing is at the path.
const none = "no policy has a rule of this name"

// noRule says what is at ref instead of a rule.
func noRule(compiler *ast.Compiler, ref ast.Ref) (cause string, at *ast.Location) {
	if node := compiler.RuleTree.Find(ref); node != nil && len(node.Children) > 0 {
		for _, name := range slices.Sorted(maps.Keys(compiler.Modules)) {
			m := compiler.Modules[name]
			if m.Package.Path.HasPrefix(ref) {
				return none + ": it is a package; name one of its rules", nil
			}
			for _, r := range m.Rules {
				if at == nil && r.Ref().HasPrefix(ref) {
					at = r.Location
				}
			}
		}
		return builtByParts(ref), at
	}
	for n := len(ref) - 1; n > 1; n-- {
		if rules := compiler.GetRulesExact(ref[:n]); len(rules) > 0 {
			return fmt.Sprintf("%s: %s is one, and %s a member of its value; name a rule", none, ref[:n],
				rego.LastName(rego.PathOf(ref))), rules[0].Location
		}
	}
	var known []string
	for _, m := range compiler.Modules {
		for _, r := range m.Rules {
			known = append(known, rego.PathOf(r.Ref()))
		}
	}
	if near := suggest.Closest(rego.PathOf(ref), known); near != "" && near != rego.PathOf(ref) {
		return none + "; did you mean " + near + "?", nil
	}
	return none, nil
}

// candidates are rules that look like decisions, as an example.
func candidates(compiler *ast.Compiler) string {
	var out []string
	for _, m := range compiler.Modules {
		for _, r := range m.Rules {
			path := rego.PathOf(r.Ref())
			if len(r.Head.Args) == 0 && r.Ref().IsGround() &&
				slices.Contains([]string{"decision", "allow", "allowed", "authorized", "main"}, rego.LastName(path)) {
				out = append(out, path)
			}
		}
	}
	if len(out) == 0 {
		return ""
	}
	return ", such as " + slices.Min(out)
}

func builtByParts(ref ast.Ref) string {
	name := rego.LastName(rego.PathOf(ref))
	return fmt.Sprintf("it is an object built by parts; write one rule that puts them together: %s := {\"allow\": "+
		"allow, \"reasons\": reasons}", name)
}
