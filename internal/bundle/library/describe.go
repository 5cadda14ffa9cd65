package library

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Package is a package of the library.
type Package struct {
	// Path is data.sidecar.<name>.
	Path string
	// Title is a few words; Summary the first sentence of the description, or empty.
	Title, Summary string
	// Rules are those that policies may use, by name.
	Rules []Rule
}

// Rule is a rule of the library.
type Rule struct {
	// Name has the names of arguments: granted(needed).
	Name string
	// Title and Summary are as in Package.
	Title, Summary string
}

// Describe lists the packages of the library, and the rules that have metadata: those that others may use.
func Describe() ([]Package, error) {
	byPath := map[string]*Package{}
	for _, f := range Source().Files {
		m, err := ast.ParseModuleWithOpts(f.Path, string(f.Raw), ast.ParserOptions{ProcessAnnotation: true})
		if err != nil {
			return nil, fmt.Errorf("read the library: %w", err)
		}
		path := m.Package.Path.String()
		if byPath[path] == nil {
			byPath[path] = &Package{Path: path}
		}
		byPath[path].take(m)
	}
	var out []Package
	for _, p := range byPath {
		slices.SortFunc(p.Rules, func(a, b Rule) int { return strings.Compare(a.Name, b.Name) })
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b Package) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// take adds what the metadata of a module says.
func (p *Package) take(m *ast.Module) {
	for _, a := range m.Annotations {
		if a.Scope == "package" {
			p.Title, p.Summary = a.Title, firstSentence(a.Description)
		}
	}
	for _, r := range m.Rules {
		for _, a := range r.Annotations {
			p.Rules = append(p.Rules, Rule{nameOf(m, r.Head), a.Title, firstSentence(a.Description)})
		}
	}
}

// nameOf is the name of a rule with its arguments. Of a function in several parts, one part names them; another may
// have a pattern there.
func nameOf(m *ast.Module, head *ast.Head) string {
	name := head.Ref().String()
	if len(head.Args) == 0 {
		return name
	}
	var args []string
	for _, r := range m.Rules {
		if r.Head.Ref().Equal(head.Ref()) && (args == nil || areVariables(r.Head.Args)) {
			args = nil
			for _, arg := range r.Head.Args {
				args = append(args, arg.String())
			}
		}
	}
	return name + "(" + strings.Join(args, ", ") + ")"
}

func areVariables(args ast.Args) bool {
	return !slices.ContainsFunc(args, func(t *ast.Term) bool { _, is := t.Value.(ast.Var); return !is })
}

// firstSentence is a text up to its first full stop, on one line.
func firstSentence(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if sentence, _, more := strings.Cut(text, ". "); more {
		return sentence + "."
	}
	return text
}
