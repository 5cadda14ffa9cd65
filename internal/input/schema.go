package input

import (
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Schema returns the JSON Schema (draft 2020-12) of the document, made from its Go types. The object schemas are
// closed: a member that does not exist is an error when a policy is compiled.
func Schema() []byte {
	s := schemaOf(reflect.TypeFor[Document](), "")
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "sidecar policy input, version 1"
	b, err := json.Marshal(s, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		panic(err) // maps of strings and maps always marshal
	}
	return append(b, '\n')
}

func schemaOf(t reflect.Type, tag reflect.StructTag) map[string]any {
	s := map[string]any{}
	if doc := tag.Get("doc"); doc != "" {
		s["description"] = doc
	}
	if enum := tag.Get("enum"); enum != "" {
		s["enum"] = strings.Split(enum, "|")
	}
	if t == reflect.TypeFor[jsontext.Value]() {
		openSchema(s, tag.Get("schema"))
		return s
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), tag)
	case reflect.Bool:
		s["type"] = "boolean"
	case reflect.Int, reflect.Int64:
		s["type"] = "integer"
	case reflect.Slice:
		s["type"] = "array"
		s["items"] = schemaOf(t.Elem(), "")
	case reflect.Map:
		s["type"] = "object"
		s["additionalProperties"] = schemaOf(t.Elem(), "")
	case reflect.Struct:
		structSchema(s, t)
	default: // string; the property test of the document knows no other kind
		s["type"] = "string"
	}
	return s
}

// openSchema describes JSON of servers and callers, whose members are not known.
func openSchema(s map[string]any, shape string) {
	object := map[string]any{"type": "object", "additionalProperties": true}
	if shape == "objects" {
		s["type"], s["items"] = "array", object
		return
	}
	s["type"], s["additionalProperties"] = "object", true
}

func structSchema(s map[string]any, t reflect.Type) {
	properties, required := map[string]any{}, []string{}
	for f := range t.Fields() {
		name, omit, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		properties[name] = schemaOf(f.Type, f.Tag)
		if omit == "" {
			required = append(required, name)
		}
	}
	s["type"], s["properties"], s["additionalProperties"] = "object", properties, false
	if len(required) > 0 {
		s["required"] = required
	}
}
