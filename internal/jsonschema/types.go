package jsonschema

import (
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Types writes the schemas of Go types by their tags: json, doc (the description), enum (values between bars), and
// schema. That is "objects" for a jsontext.Value that is an array of objects. In a Call it is "required" for a member
// that must be there, and "filled" for one that may be left out but not be empty.
type Types struct {
	Use Use
	// Name names the schema of a struct, so that members refer to it below Refs and Defs has it; without Name each
	// schema stands where it is used.
	Name func(reflect.Type) string
	// Refs is what references begin with, such as "#/$defs/".
	Refs string
	// Defs are the schemas of the structs that were named so far.
	Defs Properties
}

// Use is what a schema is for.
type Use uint8

// The uses.
const (
	// Document is for JSON that is read whole: it has no other members, and all but those that Go may omit.
	Document Use = iota
	// Call is for JSON that callers send: it has no other members, a member may be left out or null unless it is
	// required, and a required one is not empty.
	Call
	// Answer is for JSON that callers receive: it has all members but those that Go may omit, and may gain others.
	Answer
)

// Of returns the schema of t.
func (ts *Types) Of(t reflect.Type) Schema { return ts.member(t, "") }

func (ts *Types) member(t reflect.Type, tag reflect.StructTag) Schema {
	s := Schema{Description: tag.Get("doc")}
	if enum := tag.Get("enum"); enum != "" {
		s.Enum = strings.Split(enum, "|")
	}
	open := t == reflect.TypeFor[jsontext.Value]() // JSON of servers and callers, whose members are not known
	switch {
	case open && tag.Get("schema") == "objects":
		s.Type, s.Items = "array", &Schema{Type: "object", Additional: true}
	case open:
		s.Type, s.Additional = "object", true
	case t == reflect.TypeFor[time.Time]():
		s.Type, s.Format = "string", "date-time"
	case t.Kind() == reflect.Pointer:
		return ts.member(t.Elem(), tag)
	case t.Kind() == reflect.Bool:
		s.Type = "boolean"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		s.Type = "integer"
	case t.Kind() == reflect.Float64:
		s.Type = "number"
	case t.Kind() == reflect.Slice:
		items := ts.value(t.Elem())
		s.Type, s.Items = "array", &items
	case t.Kind() == reflect.Map:
		s.Type, s.Additional = "object", ts.value(t.Elem())
	case t.Kind() == reflect.Struct && ts.Name != nil:
		s.Ref = ts.Refs + ts.define(t)
	case t.Kind() == reflect.Struct:
		s = ts.object(t)
		s.Description = tag.Get("doc")
	default: // string; tests of the types know no other kind
		s.Type = "string"
	}
	return s
}

// value is the schema of an item of an array or a value of a map.
func (ts *Types) value(t reflect.Type) Schema {
	s := ts.member(t, "")
	if ts.Use == Call { // Go reads null as the empty value
		s = s.sent("")
	}
	return s
}

// define adds the schema of a struct to Defs, once, and returns its name.
func (ts *Types) define(t reflect.Type) string {
	name := ts.Name(t)
	for _, d := range ts.Defs {
		if d.Name == name {
			return name
		}
	}
	at := len(ts.Defs)
	ts.Defs = append(ts.Defs, Property{Name: name}) // before its members, which may refer to it
	ts.Defs[at].Schema = ts.object(t)
	return name
}

func (ts *Types) object(t reflect.Type) Schema {
	s := Schema{Type: "object"}
	if ts.Use != Answer {
		s.Additional = false
	}
	for f := range t.Fields() {
		name, omit, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-", !f.IsExported() && !f.Anonymous:
		case f.Anonymous:
			inner := ts.object(f.Type)
			s.Properties, s.Required = append(s.Properties, inner.Properties...), append(s.Required, inner.Required...)
		default:
			m := ts.member(f.Type, f.Tag)
			needed := omit == ""
			if ts.Use == Call {
				needed = f.Tag.Get("schema") == "required"
				m = m.sent(f.Tag.Get("schema"))
			}
			s.Properties = append(s.Properties, Property{Name: name, Schema: m})
			if needed {
				s.Required = append(s.Required, name)
			}
		}
	}
	return s
}

// sent is s for a member of a call, by its tag schema.
func (s Schema) sent(tag string) Schema {
	if tag == "required" || tag == "filled" {
		if s.Type == "string" {
			s.MinLength = 1
		}
		if s.Type == "array" {
			s.MinItems = 1
		}
	}
	switch {
	case tag == "required":
	case s.Ref != "":
		s = Schema{Description: s.Description, AnyOf: []Schema{{Ref: s.Ref}, {Type: "null"}}}
	default:
		s.Type = []any{s.Type, "null"}
	}
	return s
}
