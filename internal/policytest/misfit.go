package policytest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/suggest"
)

// codeMisfit is the code of inputs of tests that no decision has. OPA types the input of policies and not what "with"
// puts in its place, so that such a test passes and proves nothing.
const codeMisfit = "input_misfit"

// misfits are the values of "with input" that do not fit the schema of the input, in the tests that sel selects.
func (t *regoTests) misfits(sel selection) bundle.Problems {
	m := misfits{schema: rego.InputSchemaOf(t.modules), modules: t.modules, seen: map[*ast.Rule]bool{}}
	for _, file := range slices.Sorted(maps.Keys(t.files)) {
		module := t.modules[file]
		for _, rule := range module.Rules {
			selected := sel.all()
			if ref := testRef(rule); ref != nil {
				selected = sel.takes(file, module.Package.Path.String(), ref.String())
			}
			if selected && !aboutEvents(rule) {
				m.rule(module, rule)
			}
		}
	}
	return m.problems.Sorted()
}

// aboutEvents reports whether a test is about rules whose input is an event of the decision log.
func aboutEvents(rule *ast.Rule) bool {
	found := false
	events := ast.MustParseRef("data.system.log")
	ast.WalkRefs(rule, func(ref ast.Ref) bool {
		found = found || ref.HasPrefix(events)
		return found
	})
	return found
}

type misfits struct {
	schema   map[string]any
	modules  map[string]*ast.Module
	seen     map[*ast.Rule]bool // rules whose value was looked at
	problems bundle.Problems
}

func (m *misfits) rule(module *ast.Module, rule *ast.Rule) {
	ast.WalkWiths(rule, func(w *ast.With) bool {
		ref, ok := w.Target.Value.(ast.Ref)
		if !ok {
			if v, isVar := w.Target.Value.(ast.Var); isVar && v.Equal(ast.InputRootDocument.Value) {
				ref, ok = ast.InputRootRef, true
			}
		}
		if ok && ref.HasPrefix(ast.InputRootRef) {
			if schema := m.target(ref, w.Target); schema != nil {
				m.value(module, ref.String(), schema, w.Value)
			}
		}
		return false
	})
}

// target is the schema at a reference below input, or nil when nothing is known there.
func (m *misfits) target(ref ast.Ref, at *ast.Term) map[string]any {
	schema := m.schema
	for i, part := range ref[1:] {
		name, ok := part.Value.(ast.String)
		if !ok {
			return nil
		}
		if schema = m.member(ref[:i+1].String(), schema, string(name), at); schema == nil {
			return nil
		}
	}
	return schema
}

// member is the schema of a member, or nil; a member that never is there is a problem.
func (m *misfits) member(path string, schema map[string]any, name string, at *ast.Term) map[string]any {
	properties, _ := schema["properties"].(map[string]any)
	if s, ok := properties[name].(map[string]any); ok {
		return s
	}
	if s, ok := schema["additionalProperties"].(map[string]any); ok {
		return s
	}
	if schema["type"] == "object" && schema["additionalProperties"] == false {
		names := slices.Sorted(maps.Keys(properties))
		hint := ", only " + strings.Join(names, ", ")
		if meant := suggest.Closest(name, names); meant != "" {
			hint = fmt.Sprintf("; did you mean %q?", meant)
		}
		m.complain(at, "%s never has a member %q%s", path, name, hint)
	}
	return nil
}

func (m *misfits) complain(at *ast.Term, format string, args ...any) {
	m.problems = append(m.problems, rego.ProblemAt(at.Location, codeMisfit, format, args...))
}

// value compares a term with the schema of what it stands for.
func (m *misfits) value(module *ast.Module, path string, schema map[string]any, t *ast.Term) {
	switch v := t.Value.(type) {
	case ast.Object:
		if !m.is(path, schema, t, "object") {
			return
		}
		v.Foreach(func(k, member *ast.Term) {
			name, ok := k.Value.(ast.String)
			if !ok {
				return
			}
			if s := m.member(path, schema, string(name), k); s != nil {
				m.value(module, path+"."+string(name), s, member)
			}
		})
	case *ast.Array:
		items, _ := schema["items"].(map[string]any)
		if m.is(path, schema, t, "array") && items != nil {
			v.Foreach(func(item *ast.Term) { m.value(module, path+"[_]", items, item) })
		}
	case ast.Set:
		m.is(path, schema, t, "set")
	case ast.String:
		enum, _ := schema["enum"].([]any)
		if m.is(path, schema, t, "string") && enum != nil && !slices.Contains(enum, any(string(v))) {
			m.complain(t, "%s is never %q, only %v", path, string(v), enum)
		}
	case ast.Number:
		m.is(path, schema, t, "number")
	case ast.Boolean:
		m.is(path, schema, t, "boolean")
	case ast.Null:
		m.is(path, schema, t, "null")
	case ast.Var:
		m.constant(path, schema, module.Package.Path.Append(ast.StringTerm(string(v))))
	case ast.Ref:
		m.constant(path, schema, v)
	}
}

// is reports whether a type is that of a schema; another one is a problem.
func (m *misfits) is(path string, schema map[string]any, t *ast.Term, kind string) bool {
	want, _ := schema["type"].(string)
	if want == "" || want == kind || want == "integer" && kind == "number" {
		return true
	}
	if want == "array" {
		if items, _ := schema["items"].(map[string]any); items["type"] != nil {
			want = fmt.Sprintf("array of %ss", items["type"])
		}
	}
	m.complain(t, "%s is never of type %s, it is of type %s", path, kind, want)
	return false
}

// constant compares the value of a rule without conditions, such as a request that several tests share.
func (m *misfits) constant(path string, schema map[string]any, ref ast.Ref) {
	for _, module := range m.modules {
		for _, rule := range module.Rules {
			if !m.seen[rule] && len(rule.Head.Args) == 0 && rule.Head.Value != nil &&
				module.Package.Path.Extend(rule.Head.Ref()).Equal(ref) {
				m.seen[rule] = true
				m.value(module, path, schema, rule.Head.Value)
			}
		}
	}
}
