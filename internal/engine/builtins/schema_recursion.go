package builtins

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Validation by a JSON schema whose "$ref" leads back to itself, without a step into the instance, never ends, and Go
// ends a process whose stack is full. So json.match_schema and json.verify_schema check the references first.

// maxAlternatives is how many schemas may apply to one value of the instance; one that is reached twice counts twice.
const maxAlternatives = 10_000

// boundedSchema is the builtin called name, refused for a schema, the operand at, whose references never end.
func boundedSchema(name string, at int) topdown.BuiltinFunc {
	f := topdown.GetBuiltin(name)
	return func(bctx topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		key := ast.NewArray(ast.StringTerm(privatePrefix+"schema"), operands[at])
		what, known := "", false
		if cache := bctx.InterQueryBuiltinValueCache; cache != nil {
			var kept any
			if kept, known = cache.Get(key); known {
				what, _ = kept.(string)
			}
		}
		if !known {
			what = schemaProblem(operands[at].Value)
			if cache := bctx.InterQueryBuiltinValueCache; cache != nil {
				cache.Insert(key, what)
			}
		}
		if what != "" {
			return halt(&limitError{name, what}, bctx.Location)
		}
		return f(bctx, operands, iter)
	}
}

// schemaProblem says why a schema must not be used, or is empty. A value that is no schema has no problem.
func schemaProblem(v ast.Value) string {
	var doc any
	switch v := v.(type) {
	case ast.String:
		if json.Unmarshal([]byte(v), &doc) != nil {
			return ""
		}
	case ast.Object, *ast.Array:
		var err error
		if doc, err = ast.JSON(v); err != nil {
			return ""
		}
	}
	w := &schemaWalker{root: doc, applied: map[uintptr]int{}}
	w.collect(doc)
	for _, s := range w.all {
		w.count(s)
	}
	return w.problem
}

// schemaWalker knows the parts of a document that may be schemas: every object, for a reference may point anywhere.
type schemaWalker struct {
	root  any
	all   []map[string]any
	named []map[string]any // those with an $id, or an id
	// applied is how many schemas apply where one does; counting while that is being found out.
	applied map[uintptr]int
	problem string
}

const counting = -1

func (w *schemaWalker) collect(v any) {
	switch v := v.(type) {
	case map[string]any:
		w.all = append(w.all, v)
		if idOf(v) != "" {
			w.named = append(w.named, v)
		}
		for _, m := range v {
			w.collect(m)
		}
	case []any:
		for _, e := range v {
			w.collect(e)
		}
	}
}

func idOf(s map[string]any) string {
	for _, name := range []string{"$id", "id"} {
		if id, ok := s[name].(string); ok {
			return id
		}
	}
	return ""
}

// count is the number of schemas that apply to a value to which s does.
func (w *schemaWalker) count(s map[string]any) int {
	at := reflect.ValueOf(s).Pointer()
	switch n, ok := w.applied[at]; {
	case n == counting:
		w.problem = `is given a schema whose "$ref" comes back to itself without a step into the instance`
		return 1
	case ok:
		return n
	}
	w.applied[at] = counting
	n := 1
	for _, next := range w.sameValue(s) {
		n = min(n+w.count(next), maxAlternatives+1)
	}
	if n > maxAlternatives {
		w.problem = fmt.Sprintf("is given a schema of which more than %d parts apply to one value", maxAlternatives)
	}
	w.applied[at] = n
	return n
}

// sameValue are the schemas that apply to the same value as s, without a step into the instance.
func (w *schemaWalker) sameValue(s map[string]any) []map[string]any {
	var out []map[string]any
	add := func(v any) {
		if m, ok := v.(map[string]any); ok {
			out = append(out, m)
		}
	}
	for _, name := range []string{"not", "if", "then", "else"} {
		add(s[name])
	}
	for _, name := range []string{"allOf", "anyOf", "oneOf"} {
		list, _ := s[name].([]any)
		for _, v := range list {
			add(v)
		}
	}
	for _, name := range []string{"dependencies", "dependentSchemas"} {
		members, _ := s[name].(map[string]any)
		for _, v := range members {
			add(v)
		}
	}
	if ref, ok := s["$ref"].(string); ok {
		for _, v := range w.targets(ref) {
			add(v)
		}
	}
	return out
}

// targets are all schemas that a reference may mean. "$id" changes the base of references, so one that begins with "#"
// is resolved from every schema that has an id.
func (w *schemaWalker) targets(ref string) []any {
	base, fragment, _ := strings.Cut(ref, "#")
	if decoded, err := url.PathUnescape(fragment); err == nil {
		fragment = decoded
	}
	var from, out []any
	if base == "" {
		from = append(from, w.root)
	}
	for _, s := range w.named {
		id, anchor, _ := strings.Cut(idOf(s), "#")
		if base == "" || id != "" && (sameEnd(id, base) || sameEnd(base, id)) {
			from = append(from, s)
		}
		if anchor != "" && anchor == fragment {
			out = append(out, s)
		}
	}
	if from == nil && !strings.Contains(base, "://json-schema.org/draft-") {
		w.problem = "is given a schema that refers to another document"
	}
	for _, v := range from {
		if fragment == "" {
			out = append(out, v)
		} else if found, ok := follow(v, fragment); ok {
			out = append(out, found)
		}
	}
	return out
}

// sameEnd reports whether a reference, relative to some base, may mean a URL.
func sameEnd(url, ref string) bool { return strings.HasSuffix(url, strings.TrimLeft(ref, "./")) }

// follow resolves a JSON pointer (RFC 6901).
func follow(v any, pointer string) (any, bool) {
	if pointer[0] != '/' {
		return nil, false
	}
	for part := range strings.SplitSeq(pointer[1:], "/") {
		part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
		switch at := v.(type) {
		case map[string]any:
			next, ok := at[part]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(at) {
				return nil, false
			}
			v = at[i]
		default:
			return nil, false
		}
	}
	return v, true
}
