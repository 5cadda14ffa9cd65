package witness

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// document is an input document as encoding/json has it. It is never changed: with and without make another one.
type document = map[string]any

// form knows what documents the sidecar makes: the schema of the input, and what the configuration lets through.
type form struct {
	schema  func() map[string]any
	headers []string
	body    bool
	// endpoints are those of MCP: requests to others have no message.
	endpoints endpoints
	// tokenOptional is set when policies decide about requests without a token.
	tokenOptional bool
	// requests is set where a document may have another method and path.
	requests *input.Rules
}

func newForm(cfg *config.Config) *form {
	return &form{schema: sync.OnceValue(rego.InputSchema), headers: cfg.Input.Headers, body: cfg.Input.BodyBytes > 0,
		endpoints: newEndpoints(cfg), tokenOptional: cfg.Decision.Token == "optional"}
}

// kinds of members.
const (
	textKind   = "string"
	numberKind = "integer"
	truthKind  = "boolean"
	listKind   = "array"   // of texts
	freeKind   = "free"    // any JSON
	objectKind = "object"  // with members that the schema names
	mapKind    = "map"     // lists of texts by name: headers, query
	noKind     = ""        // no member of a document
	objectList = "objects" // an array of objects
)

// member is what the schema says of a path.
type member struct {
	kind     string
	enum     []any
	required bool
}

// member is what is at a path of names and indexes.
func (f *form) member(path []any) member {
	schema, out := f.schema(), member{kind: objectKind}
	for _, part := range path {
		switch out.kind {
		case freeKind:
			return out
		case objectList:
			return member{kind: freeKind}
		case listKind:
			if _, isIndex := part.(int); isIndex {
				return member{kind: textKind}
			}
			return member{}
		case mapKind:
			out = member{kind: listKind}
			continue
		}
		name, _ := part.(string)
		inner, required := rego.Property(schema, name)
		if inner == nil {
			return member{}
		}
		schema, out = inner, memberOf(inner)
		out.required = required
	}
	return out
}

func memberOf(schema map[string]any) member {
	out := member{}
	out.kind, _ = schema["type"].(string)
	out.enum, _ = schema["enum"].([]any)
	items, _ := schema["items"].(map[string]any)
	switch properties, _ := schema["properties"].(map[string]any); {
	case out.kind == listKind && items["type"] == objectKind:
		out.kind = objectList
	case out.kind == objectKind && len(properties) > 0:
	case out.kind == objectKind && schema["additionalProperties"] != nil && schema["additionalProperties"] != true:
		out.kind = mapKind
	case out.kind == objectKind, out.kind == noKind:
		out.kind = freeKind
	}
	return out
}

// changeable reports whether a document may have another value at a path: the method and the path of a shape stay, and
// what the configuration hides never comes.
func (f *form) changeable(path []any) bool {
	if len(path) == 0 || path[0] == "version" {
		return false
	}
	if path[0] != "request" {
		return true
	}
	if len(path) < 2 {
		return false
	}
	switch path[1] {
	case "method", "path", "raw_path", "segments":
		return f.requests != nil
	case "headers":
		name, _ := at(path, 2).(string)
		return slices.Contains(f.headers, name)
	case "query":
		name, _ := at(path, 2).(string)
		return name != "" && !input.HoldsToken(name)
	case "body", "body_truncated":
		return f.body
	}
	return true
}

func at(path []any, i int) any {
	if i < len(path) {
		return path[i]
	}
	return nil
}

// fits reports whether the schema has v at a path.
func (f *form) fits(path []any, v any) bool {
	m := f.member(path)
	if len(m.enum) > 0 && !slices.Contains(m.enum, v) {
		return false
	}
	switch v := v.(type) {
	case string:
		return m.kind == textKind || m.kind == freeKind && !f.isFreeObject(path)
	case bool:
		return m.kind == truthKind || m.kind == freeKind && !f.isFreeObject(path)
	case float64:
		return m.kind == numberKind && v == float64(int64(v)) || m.kind == freeKind && !f.isFreeObject(path)
	case []any:
		return m.kind == freeKind && !f.isFreeObject(path) || m.kind == listKind && allTexts(v) ||
			m.kind == objectList && allObjects(v)
	case map[string]any:
		return m.kind == freeKind || m.kind == mapKind && len(v) == 0 || m.kind == objectKind
	}
	return false
}

// isFreeObject reports whether the schema wants an object at a path, and leaves its members free.
func (f *form) isFreeObject(path []any) bool { return f.member(path[:len(path)-1]).kind != freeKind }

func allTexts(list []any) bool {
	return !slices.ContainsFunc(list, func(v any) bool {
		_, ok := v.(string)
		return !ok
	})
}

func allObjects(list []any) bool {
	return !slices.ContainsFunc(list, func(v any) bool {
		_, ok := v.(map[string]any)
		return !ok
	})
}

// set is doc with a value at a path, or nil where no such document is made.
func (f *form) set(doc document, path []any, v any) document {
	if !f.changeable(path) || !f.fits(path, v) {
		return nil
	}
	if list, ok := v.([]any); ok && len(path) == 2 && path[0] == "token" && path[1] != "authorization_details" {
		v = sorted(list)
	}
	m := f.member(path)
	if !m.required && (v == "" || v == float64(0) || v == false) && m.kind != freeKind && len(path) != 4 {
		return f.unset(doc, path) // such a member is left out
	}
	if list, ok := v.([]any); ok && len(list) == 0 && !m.required && path[0] == "token" && m.kind == listKind {
		return f.unset(doc, path)
	}
	out, _ := with(doc, path, v).(map[string]any)
	if f.requests != nil && path[0] == "request" && slices.Contains(pathMembers, path[1].(string)) {
		return f.requested(out, path[1].(string))
	}
	return f.completed(out, path)
}

// completed gives a member of the document its required neighbours.
func (f *form) completed(doc document, path []any) document {
	if doc == nil {
		return nil
	}
	complete := func(under []any, defaults map[string]any) {
		if len(path) > len(under) && equalPath(path[:len(under)], under) {
			for name, v := range defaults {
				if _, ok := get(doc, append(slices.Clone(under), name)); !ok {
					doc, _ = with(doc, append(slices.Clone(under), name), v).(map[string]any)
				}
			}
		}
	}
	complete([]any{"token", "binding"}, map[string]any{"method": "dpop", "verified": false})
	complete([]any{"subject"}, map[string]any{"type": "user", "id": "subject-1"})
	complete([]any{"resource"}, map[string]any{"type": "thing", "id": "resource-1"})
	complete([]any{"action"}, map[string]any{"name": "act"})
	return f.endpoints.complete(doc)
}

func equalPath(a, b []any) bool { return slices.Equal(a, b) }

// sorted is a list of texts as the sidecar has them: sorted, without duplicates.
func sorted(list []any) []any {
	if !allTexts(list) {
		return list
	}
	out := slices.Clone(list)
	slices.SortFunc(out, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	return slices.Compact(out)
}

// unset is doc without the member at a path, or nil where it must stay.
func (f *form) unset(doc document, path []any) document {
	if !f.changeable(path) || f.member(path).required {
		return nil
	}
	if _, ok := get(doc, path); !ok {
		return doc
	}
	out, _ := without(doc, path).(map[string]any)
	if path[0] == "mcp" && !f.endpoints.isComplete(out) {
		return nil
	}
	for n := len(path) - 1; n > 0; n-- { // an object without members is left out, too
		up := path[:n]
		v, _ := get(out, up)
		if object, ok := v.(map[string]any); ok && len(object) == 0 && !f.member(up).required && f.changeable(up) &&
			f.member(up).kind == objectKind {
			out, _ = without(out, up).(map[string]any)
		}
	}
	return out
}

// get returns the member of a value at a path of names and indexes.
func get(v any, path []any) (any, bool) {
	for _, part := range path {
		switch key := part.(type) {
		case string:
			object, _ := v.(map[string]any)
			inner, ok := object[key]
			if !ok {
				return nil, false
			}
			v = inner
		case int:
			list, _ := v.([]any)
			if key < 0 || key >= len(list) {
				return nil, false
			}
			v = list[key]
		}
	}
	return v, true
}

// maxIndex bounds the arrays that are filled up.
const maxIndex = 16

// with is v with a value at a path; nil where an array would become too long.
func with(v any, path []any, value any) any {
	if len(path) == 0 {
		return value
	}
	switch key := path[0].(type) {
	case string:
		object, _ := v.(map[string]any)
		out := make(map[string]any, len(object)+1)
		for k, inner := range object {
			out[k] = inner
		}
		out[key] = with(out[key], path[1:], value)
		return out
	case int:
		list, _ := v.([]any)
		if key < 0 || key > maxIndex {
			return v
		}
		out := slices.Clone(list)
		for len(out) <= key {
			out = append(out, "")
		}
		out[key] = with(out[key], path[1:], value)
		return out
	}
	return v
}

// without is v without the member at a path.
func without(v any, path []any) any {
	switch key := path[0].(type) {
	case string:
		object, _ := v.(map[string]any)
		inner, ok := object[key]
		if !ok {
			return v
		}
		out := make(map[string]any, len(object))
		for k, x := range object {
			out[k] = x
		}
		if len(path) == 1 {
			delete(out, key)
		} else {
			out[key] = without(inner, path[1:])
		}
		return out
	case int:
		list, _ := v.([]any)
		if key < 0 || key >= len(list) {
			return v
		}
		out := slices.Clone(list)
		if len(path) == 1 {
			return slices.Delete(out, key, key+1)
		}
		out[key] = without(list[key], path[1:])
		return out
	}
	return v
}

// textOf is a document as text, which is equal for equal documents.
func textOf(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(raw)
}

// noToken is the token of a request without one.
func noToken() map[string]any {
	return map[string]any{"present": false, "active": false, "scopes": []any{}, "roles": []any{}, "groups": []any{},
		"permissions": []any{}, "age": float64(0), "stale": false}
}

// someToken is a usable token without any right.
func someToken() map[string]any {
	t := noToken()
	t["present"], t["active"], t["kind"], t["source"] = true, true, "access", "introspection"
	return t
}
