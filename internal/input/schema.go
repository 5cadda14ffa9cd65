package input

import (
	"reflect"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jsonschema"
)

// Schema returns the JSON Schema of the document, made from its Go types. The object schemas are closed: a member that
// does not exist is an error when a policy is compiled.
func Schema() []byte {
	s := schemaOf(reflect.TypeFor[Document](), "")
	s.Schema, s.ID, s.Title = jsonschema.Draft, jsonschema.ID("input"), "sidecar policy input, version 1"
	return s.Encode()
}

func schemaOf(t reflect.Type, tag reflect.StructTag) jsonschema.Schema {
	s := jsonschema.Schema{Description: tag.Get("doc")}
	if enum := tag.Get("enum"); enum != "" {
		s.Enum = strings.Split(enum, "|")
	}
	open := t == reflect.TypeFor[jsontext.Value]() // JSON of servers and callers, whose members are not known
	switch {
	case open && tag.Get("schema") == "objects":
		s.Type, s.Items = "array", &jsonschema.Schema{Type: "object", Additional: true}
	case open:
		s.Type, s.Additional = "object", true
	case t.Kind() == reflect.Pointer:
		return schemaOf(t.Elem(), tag)
	case t.Kind() == reflect.Bool:
		s.Type = "boolean"
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		s.Type = "integer"
	case t.Kind() == reflect.Slice:
		items := schemaOf(t.Elem(), "")
		s.Type, s.Items = "array", &items
	case t.Kind() == reflect.Map:
		s.Type, s.Additional = "object", schemaOf(t.Elem(), "")
	case t.Kind() == reflect.Struct:
		s.Type, s.Additional = "object", false
		for f := range t.Fields() {
			name, omit, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "-" {
				continue
			}
			s.Properties = append(s.Properties, jsonschema.Property{Name: name, Schema: schemaOf(f.Type, f.Tag)})
			if omit == "" {
				s.Required = append(s.Required, name)
			}
		}
	default: // string; the property test of the document knows no other kind
		s.Type = "string"
	}
	return s
}
