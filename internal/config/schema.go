package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"reflect"
	"strconv"
	"time"

	"github.com/authz-sidecar/sidecar/internal/conf"
)

// schema is the part of JSON Schema (draft 2020-12) that describes a configuration, in the order it is written.
type schema struct {
	Schema      string      `json:"$schema,omitempty"`
	Title       string      `json:"title,omitempty"`
	Description string      `json:"description,omitempty"`
	Type        any         `json:"type,omitempty"`
	Enum        []string    `json:"enum,omitempty"`
	Pattern     string      `json:"pattern,omitempty"`
	MinLength   int         `json:"minLength,omitempty"`
	Minimum     json.Number `json:"minimum,omitempty"`
	Maximum     json.Number `json:"maximum,omitempty"`
	Default     any         `json:"default,omitempty"`
	Properties  properties  `json:"properties,omitempty"`
	MaxProps    int         `json:"maxProperties,omitempty"`
	Additional  any         `json:"additionalProperties,omitempty"`
	Items       *schema     `json:"items,omitempty"`
}

// properties keeps the order of the fields, which is the order they are explained in.
type properties []property

type property struct {
	name string
	schema
}

// MarshalJSON writes the properties as one object.
func (ps properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, p := range ps {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Quote(p.name) + ":")
		b.Write(encode(p.schema, ""))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// durationPattern matches what time.ParseDuration takes, without a sign.
const durationPattern = `^(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*)$`

// Schema returns the JSON Schema (draft 2020-12) of the configuration, indented, the same bytes each time. Bounds of
// durations stand in the descriptions, since JSON Schema cannot compare text.
func Schema() []byte {
	s := describe(reflect.ValueOf(Default()).Elem(), conf.Field{Doc: "Configuration of the authorization sidecar."})
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.Title = "sidecar configuration"
	return encode(s, "  ")
}

// encode never fails: a schema holds nothing but text, numbers and booleans.
func encode(s schema, indent string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	_ = e.Encode(s)
	return b.Bytes()
}

// describe returns the schema of a field whose default is v.
func describe(v reflect.Value, f conf.Field) schema {
	s := schema{Description: f.Doc, Enum: f.Enum}
	switch {
	case conf.IsDuration(v.Type()):
		describeDuration(&s, v, f)
	case v.Kind() == reflect.Struct:
		s.Type, s.Additional = []string{"object", "null"}, false // null: its keys are all commented out
		if conf.IsSource(v.Type()) {
			s.MaxProps = 1
		}
		for _, child := range conf.Fields(v.Type()) {
			s.Properties = append(s.Properties, property{child.Name, describe(v.FieldByIndex(child.Index), child)})
		}
	case v.Kind() == reflect.Map:
		s.Type, s.Additional = []string{"object", "null"}, schema{Type: "string"}
	case v.Kind() == reflect.Slice:
		describeList(&s, v, f)
	case v.Kind() == reflect.String:
		s.Type = "string"
		if v.Len() > 0 {
			s.Default = v.String()
		}
	case v.Kind() == reflect.Bool:
		s.Type, s.Default = "boolean", v.Bool()
	case v.Kind() == reflect.Float64:
		s.Type, s.Default, s.Minimum, s.Maximum = "number", v.Float(), json.Number(cmp.Or(f.Min, "0")), json.Number(f.Max)
	default:
		s.Type, s.Default, s.Minimum, s.Maximum = "integer", v.Int(), json.Number(cmp.Or(f.Min, "0")), json.Number(f.Max)
	}
	return s
}

// describeDuration lets the number 0 stand for no time, where no time is allowed; any other number lacks a unit.
func describeDuration(s *schema, v reflect.Value, f conf.Field) {
	s.Type, s.Pattern, s.Default = "string", durationPattern, conf.Duration(time.Duration(v.Int()))
	if f.Min == "" {
		s.Type, s.Minimum, s.Maximum = []string{"string", "integer"}, "0", "0"
	}
	switch {
	case f.Min != "" && f.Max != "":
		s.Description += " From " + f.Min + " to " + f.Max + "."
	case f.Min != "":
		s.Description += " At least " + f.Min + "."
	case f.Max != "":
		s.Description += " At most " + f.Max + "."
	}
}

func describeList(s *schema, v reflect.Value, f conf.Field) {
	s.Type, s.Enum = "array", nil
	if v.Len() > 0 {
		s.Default = v.Interface()
	}
	e := reflect.New(v.Type().Elem()).Elem()
	conf.SetDefaults(e)
	items := describe(e, conf.Field{Enum: f.Enum})
	if conf.IsStrings(v.Type()) && !f.BlankItems {
		items.MinLength = 1
	}
	s.Items = &items
}
