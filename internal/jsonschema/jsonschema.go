// Package jsonschema writes JSON Schemas (draft 2020-12) made from Go types. Members stand in the order of the types,
// which is the order in which they are explained.
package jsonschema

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Draft is the value of $schema.
const Draft = "https://json-schema.org/draft/2020-12/schema"

// ID is the value of $id for the schema of a name: config, suite, routes or input.
func ID(name string) string {
	return "https://github.com/authz-sidecar/sidecar/schema/" + name + ".json"
}

// Schema is the part of JSON Schema that describes a configuration or a document, in the order in which it is written.
// Members without a value are left out.
type Schema struct {
	Schema      string      `json:"$schema,omitempty"`
	ID          string      `json:"$id,omitempty"`
	Ref         string      `json:"$ref,omitempty"`
	Title       string      `json:"title,omitempty"`
	Description string      `json:"description,omitempty"`
	Type        any         `json:"type,omitempty"`
	Const       any         `json:"const,omitempty"`
	Enum        []string    `json:"enum,omitempty"`
	AnyOf       []Schema    `json:"anyOf,omitempty"`
	If          *Schema     `json:"if,omitempty"`
	Then        *Schema     `json:"then,omitempty"`
	Else        *Schema     `json:"else,omitempty"`
	Pattern     string      `json:"pattern,omitempty"`
	Format      string      `json:"format,omitempty"`
	MinLength   int         `json:"minLength,omitempty"`
	Minimum     json.Number `json:"minimum,omitempty"`
	Maximum     json.Number `json:"maximum,omitempty"`
	Default     any         `json:"default,omitempty"`
	Properties  Properties  `json:"properties,omitempty"`
	Patterns    Properties  `json:"patternProperties,omitempty"`
	Required    []string    `json:"required,omitempty"`
	MinProps    int         `json:"minProperties,omitempty"`
	MaxProps    int         `json:"maxProperties,omitempty"`
	Additional  any         `json:"additionalProperties,omitempty"`
	Items       *Schema     `json:"items,omitempty"`
	MinItems    int         `json:"minItems,omitempty"`
	Defs        Properties  `json:"$defs,omitempty"`
	// Message is what editors show in place of their own words (VS Code and the YAML language server).
	Message string `json:"errorMessage,omitempty"`
}

// Properties are the members of an object, in their order.
type Properties []Property

// Property is one member of an object.
type Property struct {
	Name   string
	Schema Schema
}

// MarshalJSON writes the properties as one object.
func (ps Properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, p := range ps {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Quote(p.Name) + ":")
		b.Write(p.Schema.encode(""))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Encode returns s as indented JSON, the same bytes each time, with a line break at the end.
func (s Schema) Encode() []byte { return s.encode("  ") }

// encode never fails: a schema holds nothing but text, numbers and booleans.
func (s Schema) encode(indent string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	_ = e.Encode(s)
	return b.Bytes()
}
