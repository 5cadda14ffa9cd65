package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
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
		cause := unaskable(compiler, path)
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
		if cause := unaskable(compiler, path); cause != "" {
			problems = append(problems, bundle.Problem{File: "configuration", Code: codeEntrypoint, Message: fmt.Sprintf("data.%s, which the configuration names, cannot be an entrypoint: %s", dotted(path), cause)})
		}
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return slices.Compact(paths), problems.Sorted()
}

// unaskable says why a path cannot be asked, or nothing.
func unaskable(compiler *ast.Compiler, path string) string {
	rules := compiler.GetRulesExact(refOf(path))
	switch {
	case len(rules) == 0:
		return "no policy has a rule of this name"
	case len(rules[0].Head.Args) > 0:
		return "it is a function"
	}
	return ""
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
