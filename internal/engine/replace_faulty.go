package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// replaceFaulty replaces or removes the rule, import or annotation that an error is about, and reports whether it
// could.
func (d *diagnosis) replaceFaulty(e *ast.Error) bool {
	if e.Location == nil || d.modules[e.Location.File] == nil {
		return false
	}
	m := d.modules[e.Location.File]
	if d.dropExtraDefaults(e.Message) {
		return true
	}
	here := func(l *ast.Location) bool { return l != nil && l.Row == e.Location.Row && l.Col == e.Location.Col }
	before := len(m.Annotations) + len(m.Imports)
	m.Annotations = slices.DeleteFunc(m.Annotations, func(a *ast.Annotations) bool { return here(a.Location) })
	m.Imports = slices.DeleteFunc(m.Imports, func(i *ast.Import) bool { return here(i.Location) })
	if len(m.Annotations)+len(m.Imports) < before {
		return true
	}
	rule := ruleAt(m, e.Location.Row, e.Location.Col)
	switch {
	case rule == nil:
		delete(d.modules, e.Location.File)
		d.unknown = append(d.unknown, m.Package.Path)
	case strings.HasPrefix(e.Message, "conflicting rule"),
		strings.HasPrefix(e.Message, "rule ") && strings.Contains(e.Message, " conflicts with"):
		d.dropRules(m.Package.Path.Extend(rule.Head.Ref().GroundPrefix()))
	case d.replaced[locationOfRule(rule)]:
		// replaced for another error of this round, or without effect: the rounds are bounded
	default:
		d.replaced[locationOfRule(rule)] = true
		replaceRule(rule)
	}
	return true
}

// ruleAt is the rule, or the else of one, at a location of a module; nil before the first rule.
func ruleAt(m *ast.Module, row, col int) *ast.Rule {
	var found *ast.Rule
	for _, root := range m.Rules {
		for r := root; r != nil; r = r.Else {
			at := r.Location
			if at != nil && (at.Row < row || at.Row == row && at.Col <= col) &&
				(found == nil || found.Location.Row < at.Row ||
					found.Location.Row == at.Row && found.Location.Col <= at.Col) {
				found = r
			}
		}
	}
	return found
}

func locationOfRule(r *ast.Rule) string {
	if r.Location == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d", r.Location.File, r.Location.Row, r.Location.Col)
}

// anything is a term of any type: the schema does not say what input.context holds.
func anything() *ast.Term {
	return ast.NewTerm(ast.MustParseRef("input.context.anything"))
}

// replaceRule turns a rule into one of the same name and kind that is always defined and may have any value.
func replaceRule(r *ast.Rule) {
	r.Default = false
	r.Body = ast.NewBody(ast.NewExpr(ast.BooleanTerm(true)))
	h := r.Head
	for i := range h.Args {
		h.Args[i] = ast.VarTerm(fmt.Sprintf("%s_argument%d", ast.WildcardPrefix, i))
	}
	for i := 1; i < len(h.Reference); i++ {
		if !ast.IsConstant(h.Reference[i].Value) {
			h.Reference[i] = anything()
		}
	}
	if h.Key != nil && !ast.IsConstant(h.Key.Value) {
		h.Key = anything()
	}
	if h.Value != nil && !(h.Value.Equal(ast.BooleanTerm(true)) && !h.Assign) {
		h.Value = anything()
	}
}

// dropRules removes the rules at and below a path, which conflict with each other. What is there is then unknown.
func (d *diagnosis) dropRules(path ast.Ref) {
	d.unknown = append(d.unknown, path)
	for _, m := range d.modules {
		m.Rules = slices.DeleteFunc(m.Rules, func(r *ast.Rule) bool {
			ref := m.Package.Path.Extend(r.Head.Ref())
			return ref.HasPrefix(path)
		})
		m.Annotations = slices.DeleteFunc(m.Annotations,
			func(a *ast.Annotations) bool { return a.GetTargetPath().HasPrefix(path) })
	}
}

// dropExtraDefaults leaves each rule one default, when that is what an error is about.
func (d *diagnosis) dropExtraDefaults(message string) bool {
	if !strings.HasPrefix(message, "multiple default rules ") {
		return false
	}
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(d.modules)) {
		m := d.modules[name]
		m.Rules = slices.DeleteFunc(m.Rules, func(r *ast.Rule) bool {
			ref := m.Package.Path.Extend(r.Head.Ref()).String()
			again := r.Default && seen[ref]
			seen[ref] = seen[ref] || r.Default
			return again
		})
	}
	return true
}
