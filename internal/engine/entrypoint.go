package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/suggest"
)

const codeEntrypoint = "entrypoint_error"

// entrypoints lists the paths that may be asked, sorted: rules annotated as entrypoints, and the named ones, which must
// exist.
func entrypoints(compiler *ast.Compiler, named []string) ([]string, bundle.Problems) {
	var paths []string
	var problems bundle.Problems
	for _, ref := range compiler.GetAnnotationSet().Flatten() {
		if !ref.Annotations.Entrypoint {
			continue
		}
		path := pathOf(ref.Path)
		cause, _ := unaskable(compiler, path)
		if ref.Annotations.Scope == "package" {
			cause = "annotate a rule, not its package"
		}
		if cause != "" {
			loc := ref.Annotations.Location
			problems = append(problems, bundle.Problem{File: loc.File, Row: loc.Row, Col: loc.Col, Code: codeEntrypoint, Message: fmt.Sprintf("%s cannot be an entrypoint: %s", ref.Path, cause)})
		}
		paths = append(paths, path)
	}
	for _, path := range named {
		path = strings.Trim(path, "/")
		if cause, at := unaskable(compiler, path); cause != "" {
			p := problemAt(at, codeEntrypoint, "data.%s, which the configuration names, cannot be an entrypoint: %s", dotted(path), cause)
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

// unaskable says why a path cannot be asked, and where the reason is, or nothing.
func unaskable(compiler *ast.Compiler, path string) (cause string, at *ast.Location) {
	ref := refOf(path)
	rules := compiler.GetRulesExact(ref)
	if len(rules) == 0 {
		return noRule(compiler, ref)
	}
	switch r := rules[0]; {
	case len(r.Head.Args) > 0:
		return "it is a function", nil
	case !r.Ref().IsGround():
		return byParts(ref), r.Location
	}
	return "", nil
}

// noRule says what is at ref instead of a rule.
func noRule(compiler *ast.Compiler, ref ast.Ref) (cause string, at *ast.Location) {
	const none = "no policy has a rule of this name"
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
		return byParts(ref), at
	}
	for n := len(ref) - 1; n > 1; n-- {
		if rules := compiler.GetRulesExact(ref[:n]); len(rules) > 0 {
			return fmt.Sprintf("%s: %s is one, and %s a member of its value; name a rule", none, ref[:n], lastOf(pathOf(ref))), rules[0].Location
		}
	}
	var known []string
	for _, m := range compiler.Modules {
		for _, r := range m.Rules {
			known = append(known, pathOf(r.Ref()))
		}
	}
	if near := suggest.Closest(pathOf(ref), known); near != "" && near != pathOf(ref) {
		return none + "; did you mean " + near + "?", nil
	}
	return none, nil
}

func byParts(ref ast.Ref) string {
	name := lastOf(pathOf(ref))
	return fmt.Sprintf("it is an object built by parts; write one rule that puts them together: %s := {\"allow\": allow, \"reasons\": reasons}", name)
}

// refOf is the reference that a path names. Its parts become strings, never Rego.
func refOf(path string) ast.Ref {
	ref := ast.Ref{ast.DefaultRootDocument}
	for part := range strings.SplitSeq(path, "/") {
		ref = append(ref, ast.StringTerm(part))
	}
	return ref
}

func pathOf(ref ast.Ref) string {
	parts := make([]string, 0, len(ref))
	for _, t := range ref[1:] {
		if s, ok := t.Value.(ast.String); ok {
			parts = append(parts, string(s))
		}
	}
	return strings.Join(parts, "/")
}

func dotted(path string) string { return strings.ReplaceAll(path, "/", ".") }
