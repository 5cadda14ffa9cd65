package rego

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
	"github.com/authz-sidecar/sidecar/internal/suggest"
)

// functionDetail is the suggestion in an error about an undefined function.
type functionDetail struct{ hint string }

// Lines implements ast.ErrorDetails.
func (*functionDetail) Lines() []string { return nil }

// withFunctionHints adds suggestions to errors about undefined functions, from the functions that modules define.
func withFunctionHints(errs ast.Errors, modules map[string]*ast.Module) ast.Errors {
	var functions []ast.Ref
	for i, e := range errs {
		name, ok := strings.CutPrefix(e.Message, "undefined function ")
		if !ok || e.Location == nil || modules[e.Location.File] == nil || builtins.Unsafe(name) {
			continue
		}
		if functions == nil {
			functions = functionsOf(modules)
		}
		if hint := functionSuggestion(name, modules[e.Location.File].Package.Path, functions); hint != "" {
			hinted := *e
			hinted.Details = &functionDetail{hint}
			errs[i] = &hinted
		}
	}
	return errs
}

// functionsOf are the functions that modules define, sorted.
func functionsOf(modules map[string]*ast.Module) []ast.Ref {
	var out []ast.Ref
	for _, m := range modules {
		for _, r := range m.Rules {
			if len(r.Head.Args) > 0 && r.Head.Ref().IsGround() {
				out = append(out, m.Package.Path.Extend(r.Head.Ref()))
			}
		}
	}
	slices.SortFunc(out, func(a, b ast.Ref) int { return a.Compare(b) })
	return slices.CompactFunc(out, func(a, b ast.Ref) bool { return a.Equal(b) })
}

// functionSuggestion is the hint about the name of an undefined function that a module of package pkg calls.
func functionSuggestion(name string, pkg ast.Ref, functions []ast.Ref) string {
	var here, whole []string
	for _, f := range functions {
		whole = append(whole, f.String())
		if len(f) == len(pkg)+1 && f.HasPrefix(pkg) {
			here = append(here, LastName(PathOf(f)))
		}
	}
	if strings.HasPrefix(name, "data.") {
		if near := suggest.Closest(name, whole); near != "" {
			return "; did you mean " + near + "?"
		}
		return ""
	}
	if near := suggest.Closest(name, here); near != "" {
		return "; did you mean " + near + "?"
	}
	for _, f := range functions {
		last, in := LastName(PathOf(f)), f[:len(f)-1]
		if short := LastName(PathOf(in)) + "." + last; name == last || name == short {
			return fmt.Sprintf("; %s is one: import %s and write %s", f, in, short)
		}
	}
	return ""
}
