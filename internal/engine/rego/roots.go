package rego

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// rootProblems reports what a module defines outside the roots of its own bundle, or inside the roots of another: OPA
// would merge it silently. Rules count as well as packages: in package a, the rule b.c defines data.a.b.c.
func rootProblems(set *bundle.Set, own *bundle.Bundle, m *ast.Module) bundle.Problems {
	if own.Embedded { // it is there because nothing else is, whatever a manifest claims
		return nil
	}
	at := constantPrefix(m.Package.Path)
	problems := rootProblemsAt(set, own, "package", at, m.Package.Location)
	if problems != nil {
		return problems
	}
	for _, r := range m.Rules {
		path := append(at[:len(at):len(at)], constantPrefix(r.Head.Ref())...)
		problems = append(problems, rootProblemsAt(set, own, "rule", path, r.Location)...)
	}
	return problems
}

// rootProblemsAt reports the same about one path.
func rootProblemsAt(set *bundle.Set, own *bundle.Bundle, what string, at []string, loc *ast.Location) bundle.Problems {
	problem := func(format string, args ...any) bundle.Problems {
		message := what + " data." + strings.Join(at, ".") + " " + fmt.Sprintf(format, args...)
		return bundle.Problems{{File: loc.File, Row: loc.Row, Col: loc.Col, Code: bundle.CodeRoots, Message: message}}
	}
	if own.Roots != nil && !bundle.UnderRoot(own.Roots, at) {
		return problem("is outside the roots %q of its bundle", own.Roots)
	}
	for i := range set.Bundles {
		other := &set.Bundles[i]
		if other == own || other.Roots == nil {
			continue
		}
		if bundle.UnderRoot(other.Roots, at) {
			return problem("is inside the roots %q of bundle %s", other.Roots, other.Name)
		}
		// A rule has the whole value at its path, so that no root of a bundle may lie below it.
		for _, root := range other.Roots {
			if what == "rule" && bundle.UnderRoot([]string{strings.Join(at, "/")}, strings.Split(root, "/")) {
				return problem("holds the root %q of bundle %s", root, other.Name)
			}
		}
	}
	return nil
}
