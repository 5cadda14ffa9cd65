package engine

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// misplacedIn reports what a module defines outside the roots of its own bundle or inside those of another. OPA itself
// would merge it silently. Rules count, not only the package: in package a, the rule b.c defines data.a.b.c.
func misplacedIn(set *bundle.Set, own *bundle.Bundle, m *ast.Module) bundle.Problems {
	at := ground(m.Package.Path)
	problems := misplacedAt(set, own, "package", at, m.Package.Location)
	if problems != nil {
		return problems
	}
	for _, r := range m.Rules {
		path := append(at[:len(at):len(at)], ground(r.Head.Ref())...)
		problems = append(problems, misplacedAt(set, own, "rule", path, r.Location)...)
	}
	return problems
}

func misplacedAt(set *bundle.Set, own *bundle.Bundle, what string, at []string, loc *ast.Location) bundle.Problems {
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
		// A rule is all there is at its path: none of a bundle's roots may lie below it.
		for _, root := range other.Roots {
			if what == "rule" && bundle.UnderRoot([]string{strings.Join(at, "/")}, strings.Split(root, "/")) {
				return problem("holds the root %q of bundle %s", root, other.Name)
			}
		}
	}
	return nil
}

// ground returns the names that a path begins with; the first, data or the rule's own, may be a variable.
func ground(ref ast.Ref) []string {
	var names []string
	for i, t := range ref {
		switch v := t.Value.(type) {
		case ast.Var:
			if i > 0 {
				return names
			}
			if !t.Equal(ast.DefaultRootDocument) {
				names = append(names, string(v))
			}
		case ast.String:
			names = append(names, string(v))
		default:
			return names
		}
	}
	return names
}
