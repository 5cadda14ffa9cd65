package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/suggest"
)

// impossibleTexts says why a member of the input with a fixed set of values, or one spelling, is none of the texts
// that it is compared with: a kind "acess", a method "get". It is empty where it may be one.
func (p *Program) impossibleTexts(s *scope, member *ast.Term, texts []*ast.Term) string {
	var refs []ast.Ref
	if len(texts) == 0 || !p.expandTerm(s, member, nil, maxBindingDepth, &refs) || len(refs) != 1 ||
		!refs[0].HasPrefix(ast.InputRootRef) || s.logged {
		return ""
	}
	cause := ""
	for _, t := range texts {
		text, ok := t.Value.(ast.String)
		if !ok {
			return ""
		}
		if cause = p.impossibleValue(refs[0], string(text)); cause == "" {
			return ""
		}
	}
	return "match error: " + cause
}

// impossibleValue says why the member ref of the input never has a text as its value, or is empty.
func (p *Program) impossibleValue(ref ast.Ref, text string) string {
	name := ref.String()
	spelt := text
	switch name {
	case "input.request.method":
		spelt = strings.ToUpper(text)
	case "input.request.host", "input.request.scheme":
		spelt = strings.ToLower(text)
	}
	if spelt != text {
		return fmt.Sprintf("%s is never %q: write %q", name, text, spelt)
	}
	values := p.valuesOf(ref)
	if len(values) == 0 || slices.Contains(values, text) {
		return ""
	}
	out := fmt.Sprintf("%s is never %q: it is one of %s", name, text, strings.Join(values, ", "))
	if near := suggest.Closest(text, values); near != "" {
		out += fmt.Sprintf("; did you mean %q?", near)
	}
	return out
}

// valuesOf are the values that the schema allows for a member of the input, or none where it allows all.
func (p *Program) valuesOf(ref ast.Ref) []string {
	schema := p.schema
	for _, t := range ref[1:] {
		name, _ := t.Value.(ast.String)
		schema, _ = rego.Property(schema, string(name))
	}
	list, _ := schema["enum"].([]any)
	var values []string
	for _, v := range list {
		if text, ok := v.(string); ok {
			values = append(values, text)
		}
	}
	return values
}
