package meaning

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// Text is a definition of a rule as it is written.
type Text struct {
	File string `json:"file"`
	Row  int    `json:"row"`
	// Rego is the source from the first character of the rule to its last, with its else branches.
	Rego string `json:"rego"`
	// Metadata is the annotation of the rule as JSON; empty where it has none.
	Metadata string `json:"metadata,omitzero"`
}

// Definition is one definition of a rule, or the metadata of a package in one file.
type Definition struct {
	// Path is data.authz.allowed; that of a package is data.authz.
	Path string
	// Below is the path of the file below its source.
	Below string
	Text  Text
	// Parts are what a definition consists of, by the names of change.Rule.Parts, each in a form that overlooks
	// format, comments, and the names of imports.
	Parts map[string]string
	// Conditions are those of the first body, each in such a form and as it is written.
	Conditions []Condition
	// Mentions are the paths under data that the definition names, and the names of its package.
	Mentions []string
	// Embedded is set for the library of the binary.
	Embedded bool
}

// Condition is one expression of a body.
type Condition struct{ Form, Rego string }

// The names of parts.
const (
	PartName       = "name"
	PartArguments  = "arguments"
	PartValue      = "value"
	PartConditions = "conditions"
	PartElse       = "else"
	PartDefault    = "default"
	PartMetadata   = "metadata"
)

// SameAs reports whether two definitions differ in format, comments and prose at most.
func (d *Definition) SameAs(other *Definition) bool { return maps.Equal(d.Parts, other.Parts) }

// Valued reports whether the value tells one definition of a rule from another.
func (d *Definition) Valued() bool { return d.Parts[PartValue] != withoutValue }

// withoutValue is the form of a value that is true because none is written.
var withoutValue = form((*ast.Term)(nil)) + form(ast.BooleanTerm(true))

// DefinitionsIn are the definitions in one file, such as one of tests; none where it does not parse.
func DefinitionsIn(file string, raw []byte) []Definition {
	m, err := ast.ParseModuleWithOpts(file, string(raw), rego.ParserOptions(nil))
	if err != nil || m == nil {
		return nil
	}
	return definitionsIn(m, file, file)
}

// definitions are those of all modules of a set, which were parsed and not compiled.
func definitions(set *bundle.Set, modules map[string]*ast.Module) []Definition {
	var out []Definition
	for _, b := range set.Bundles {
		for _, f := range b.Modules {
			m := modules[f.Path]
			if m == nil {
				continue
			}
			below := strings.TrimPrefix(strings.TrimPrefix(f.Path, b.Name), "/")
			for _, d := range definitionsIn(m, f.Path, below) {
				d.Embedded = b.Embedded
				out = append(out, d)
			}
		}
	}
	return out
}

func definitionsIn(m *ast.Module, file, below string) []Definition {
	var out []Definition
	var ofPackage []*ast.Annotations
	for _, a := range m.Annotations {
		if a.Scope == "package" || a.Scope == "subpackages" {
			ofPackage = append(ofPackage, a)
		}
	}
	if len(ofPackage) > 0 {
		out = append(out, Definition{Path: m.Package.Path.String(), Below: below,
			Text: Text{File: file, Row: m.Package.Location.Row, Rego: "package " + pathBelowData(m.Package.Path),
				Metadata: metadataOf(ofPackage)},
			Parts: map[string]string{PartMetadata: effective(ofPackage)}})
	}
	names := importsOf(m)
	for _, r := range m.Rules {
		d := Definition{Path: pathOf(r), Below: below, Text: Text{File: file, Row: r.Location.Row,
			Rego: string(r.Location.Text), Metadata: metadataOf(r.Annotations)}}
		d.Parts, d.Conditions = names.parts(r)
		d.Mentions = mentions(m.Package.Path, names.resolved(r))
		d.Parts[PartMetadata] = effective(r.Annotations)
		out = append(out, d)
	}
	slices.SortStableFunc(out, func(a, b Definition) int { return cmp.Compare(a.Text.Row, b.Text.Row) })
	return out
}

func pathBelowData(path ast.Ref) string { return strings.TrimPrefix(path.String(), "data.") }

// parts are those of a rule. The rule is copied where it is changed.
func (names imports) parts(rule *ast.Rule) (map[string]string, []Condition) {
	written := rule.Body
	rule = names.resolved(rule)
	parts := map[string]string{
		PartName: form(rule.Head.Ref()), PartArguments: form(rule.Head.Args),
		PartValue: form(rule.Head.Key) + form(rule.Head.Value), PartConditions: bodyForm(rule.Body) + names.special,
	}
	if rule.Default {
		parts[PartDefault] = "default"
	}
	for r := rule.Else; r != nil; r = r.Else {
		parts[PartElse] += form(r.Head.Value) + bodyForm(r.Body) + "\n"
	}
	var conditions []Condition
	for i, x := range rule.Body {
		if t, ok := x.Terms.(*ast.Term); ok && t.Equal(ast.BooleanTerm(true)) {
			continue // where no body is written
		}
		text := ""
		if at := written[i].Location; at != nil {
			text = string(at.Text)
		}
		conditions = append(conditions, Condition{Form: form(x), Rego: cmp.Or(strings.TrimSpace(text), x.String())})
	}
	return parts, conditions
}

// mentions are the paths under data in a rule, and what its variables would be in its package.
func mentions(pkg ast.Ref, rule *ast.Rule) []string {
	var out []string
	add := func(ref ast.Ref) { out = append(out, ref.ConstantPrefix().String()) }
	ast.WalkRefs(rule, func(ref ast.Ref) bool {
		if ref.HasPrefix(ast.DefaultRootRef) {
			add(ref)
		}
		return false
	})
	ast.WalkVars(rule, func(v ast.Var) bool {
		add(pkg.Append(ast.StringTerm(string(v))))
		return false
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// form is the JSON of a part of Rego without its places.
func form(x any) string {
	var tree any
	if json.Unmarshal([]byte(encoded(x)), &tree) != nil {
		return encoded(x)
	}
	return encoded(placeless(tree))
}

// placeless is JSON of Rego without the members that say where something is written.
func placeless(tree any) any {
	switch tree := tree.(type) {
	case map[string]any:
		delete(tree, "location")
		delete(tree, "index")
		for _, member := range tree {
			placeless(member)
		}
	case []any:
		for _, element := range tree {
			placeless(element)
		}
	}
	return tree
}

func encoded(x any) string {
	raw, err := json.Marshal(x)
	if err != nil {
		return "cannot be encoded: " + err.Error()
	}
	return string(raw)
}

// bodyForm is the form of a body, in which the order of conditions does not count.
func bodyForm(body ast.Body) string {
	forms := make([]string, 0, len(body))
	for _, x := range body {
		forms = append(forms, form(x))
	}
	slices.Sort(forms)
	return strings.Join(forms, "\n")
}

// imports are the names of a module that stand for a path, and the imports that change what Rego means.
type imports struct {
	paths   map[ast.Var]ast.Ref
	special string
}

func importsOf(m *ast.Module) imports {
	out := imports{paths: map[ast.Var]ast.Ref{}}
	for _, i := range m.Imports {
		path, ok := i.Path.Value.(ast.Ref)
		switch {
		case !ok:
		case path.HasPrefix(ast.DefaultRootRef), path.HasPrefix(ast.InputRootRef):
			out.paths[i.Name()] = path
		case path.String() != "rego.v1":
			out.special += " " + path.String()
		}
	}
	return out
}

// resolved is a copy of a rule in which the names of imports are the paths that they stand for.
func (names imports) resolved(rule *ast.Rule) *ast.Rule {
	rule = rule.Copy()
	rename := func(name, first ast.Var) {
		for r := rule; r != nil; r = r.Else {
			r.Head.Name = name
			if len(r.Head.Reference) > 0 {
				r.Head.Reference[0] = ast.NewTerm(first)
			}
		}
	}
	for r := rule; r != nil; r = r.Else {
		r.Head.Assign = false // a formatter may write either
	}
	if first, ok := rule.Head.Ref()[0].Value.(ast.Var); ok && names.paths[first] != nil {
		// An import of that name is meant everywhere but in the head.
		defer rename(rule.Head.Name, first)
		rename("", "")
	}
	whole := func(x any) (any, error) {
		switch v := x.(type) {
		case ast.Var:
			if path, ok := names.paths[v]; ok {
				return path, nil
			}
		case ast.Ref:
			head, ok := v[0].Value.(ast.Var)
			if path, known := names.paths[head]; ok && known {
				return path.Concat(v[1:]), nil
			}
		}
		return x, nil
	}
	if _, err := ast.Transform(ast.NewGenericTransformer(whole), rule); err != nil {
		return rule
	}
	return rule
}

// metadataOf is annotations as JSON; empty without any.
func metadataOf(list []*ast.Annotations) string {
	if len(list) == 0 {
		return ""
	}
	var members []map[string]any
	_ = json.Unmarshal([]byte(encoded(list)), &members)
	for _, m := range members {
		delete(m, "location")
	}
	if len(members) == 1 {
		return encoded(members[0])
	}
	return encoded(members)
}

// effective is the part of annotations that is more than prose.
func effective(list []*ast.Annotations) string {
	var out []string
	for _, a := range list {
		var members map[string]any
		if json.Unmarshal([]byte(encoded(a)), &members) != nil {
			return encoded(list)
		}
		for _, prose := range []string{"location", "title", "description", "authors", "organizations",
			"related_resources"} {
			delete(members, prose)
		}
		delete(members, "scope") // alone it means nothing
		if len(members) > 0 {
			members["scope"] = a.Scope
			out = append(out, encoded(members))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}
