package lint

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// maxSteps bounds how many variables, rules and calls are followed from one to the next.
const maxSteps = 8

// anyMember stands in a path for an element that is a variable.
const anyMember = "_"

// behind is the term that a variable was given, or the term itself.
func (p *program) behind(t *ast.Term) *ast.Term {
	for range maxSteps {
		v, ok := t.Value.(ast.Var)
		if !ok || p.bound[v] == nil {
			return t
		}
		t = p.bound[v]
	}
	return t
}

// path is the place under input or data that a term stands for: a reference, a variable with one, a rule that is
// another name of one, or object.get with constant keys. It is nil for anything else.
func (p *program) path(t *ast.Term) []string { return p.pathWithin(t, maxSteps) }

func (p *program) pathWithin(t *ast.Term, steps int) []string {
	if steps == 0 {
		return nil
	}
	t = p.behind(t)
	switch v := t.Value.(type) {
	case ast.Var:
		if v.Equal(ast.InputRootDocument.Value) || v.Equal(ast.DefaultRootDocument.Value) {
			return []string{string(v)}
		}
		return p.pathOfParameter(v, steps)
	case ast.Ref:
		return p.pathOfRef(v, steps)
	case ast.Call:
		if v[0].Value.String() == ast.ObjectGet.Name && len(v) == 4 {
			return p.pathOfLookup(v, steps)
		}
	}
	return nil
}

// pathOfRef is the path of a reference, with "_" for its variables.
func (p *program) pathOfRef(ref ast.Ref, steps int) []string {
	head := p.pathWithin(ref[0], steps-1)
	if head == nil {
		return nil
	}
	head = slices.Clip(head)
	for i, t := range ref[1:] {
		head = append(head, p.element(t))
		if i > 0 && head[0] == "data" {
			if other := p.alias(head, steps); other != nil {
				head = slices.Clone(other)
			}
		}
	}
	return head
}

// element is one element of a reference.
func (p *program) element(t *ast.Term) string {
	switch v := p.behind(t).Value.(type) {
	case ast.String:
		return string(v)
	case ast.Number:
		return v.String()
	}
	return anyMember
}

// alias is the path that the rule at a path is another name of, or nil: "http := input.request".
func (p *program) alias(path []string, steps int) []string {
	rules := p.rules[textOfPath(path)]
	if len(rules) != 1 || rules[0].Else != nil || len(rules[0].Head.Args) > 0 ||
		rules[0].Head.RuleKind() == ast.MultiValue {
		return nil
	}
	if _, is := rules[0].Head.Value.Value.(ast.Ref); !is || !rules[0].Body.Equal(ast.NewBody(ast.NewExpr(
		ast.BooleanTerm(true)))) {
		return nil
	}
	return p.pathWithin(rules[0].Head.Value, steps-1)
}

// rulesAt are the paths of the rules that a reference under data leads to: the rule that it begins with, or all rules
// below.
func (p *program) rulesAt(ref ast.Ref) []string {
	if !ref.HasPrefix(ast.DefaultRootRef) {
		return nil
	}
	prefix := ref.GroundPrefix()
	for n := len(prefix); n > 1; n-- {
		if path := prefix[:n].String(); len(p.rules[path]) > 0 {
			return []string{path}
		}
	}
	var below []string
	for path := range p.rules {
		if strings.HasPrefix(path, prefix.String()+".") {
			below = append(below, path)
		}
	}
	return below
}

// pathOfParameter is what all calls of a function pass for a parameter, where that is one path.
func (p *program) pathOfParameter(v ast.Var, steps int) []string {
	param, ok := p.parameters[v]
	if !ok {
		return nil
	}
	if path, known := p.passed[v]; known {
		return path
	}
	p.passed[v] = nil // for a function that calls itself
	path := p.pathOfArguments(param, steps)
	p.passed[v] = path
	return path
}

// pathOfArguments is the path that all calls of a function pass, or nil.
func (p *program) pathOfArguments(param parameter, steps int) []string {
	var path []string
	for i, args := range p.calls[param.function] {
		if param.position >= len(args) {
			return nil
		}
		one := p.pathWithin(args[param.position], steps-1)
		if one == nil || i > 0 && !slices.Equal(path, one) {
			return nil
		}
		path = one
	}
	return path
}

// pathOfLookup is the path that an object.get with constant keys reads.
func (p *program) pathOfLookup(call ast.Call, steps int) []string {
	path := p.pathWithin(call[1], steps-1)
	if path == nil {
		return nil
	}
	path = slices.Clip(path)
	key := p.behind(call[2])
	if keys, ok := key.Value.(*ast.Array); ok {
		keys.Foreach(func(t *ast.Term) { path = append(path, p.element(t)) })
		return path
	}
	return append(path, p.element(key))
}

// textOfPath is a path as a reference is written: input.request.headers["x-tenant"][_].
func textOfPath(path []string) string {
	ref := ast.Ref{ast.VarTerm(path[0])}
	for _, e := range path[1:] {
		switch {
		case e == anyMember:
			ref = append(ref, ast.VarTerm(anyMember))
		case e != "" && strings.Trim(e, "0123456789") == "":
			ref = append(ref, ast.NumberTerm(json.Number(e)))
		default:
			ref = append(ref, ast.StringTerm(e))
		}
	}
	return ref.String()
}

// optional reports whether a member of the input may be absent. What lies in context, claims and other objects without
// a schema, in a map or at an index may. An entrypoint that reads input.request is asked about requests alone.
func (p *program) optional(path []string) bool {
	if path[0] != "input" {
		return false
	}
	schema := p.schema
	for i, name := range path[1:] {
		member, required := rego.Property(schema, name)
		required = required || i == 0 && name == "request"
		if items, array := schema["items"].(map[string]any); array && name == anyMember {
			member, required = items, true
		}
		if !required || member == nil {
			return true
		}
		schema = member
	}
	return false
}
