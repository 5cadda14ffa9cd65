package config

import (
	"cmp"
	"encoding/json"
	"reflect"
	"time"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/jsonschema"
)

// durationPattern matches what time.ParseDuration takes, without a sign.
const durationPattern = `^(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*)$`

// Schema returns the JSON Schema (draft 2020-12) of the configuration, indented, the same bytes each time. Bounds of
// durations stand in the descriptions, since JSON Schema cannot compare text.
func Schema() []byte {
	s := describe(reflect.ValueOf(Default()).Elem(), conf.Field{Doc: "Configuration of the authorization sidecar."})
	s.Schema, s.ID, s.Title = jsonschema.Draft, jsonschema.ID("config"), "sidecar configuration"
	return s.Encode()
}

// describe returns the schema of a field whose default is v.
func describe(v reflect.Value, f conf.Field) jsonschema.Schema {
	s := jsonschema.Schema{Description: f.Doc, Enum: f.Enum}
	switch {
	case conf.IsDuration(v.Type()):
		describeDuration(&s, v, f)
	case v.Kind() == reflect.Struct:
		s.Type, s.Additional = []string{"object", "null"}, false // null: its keys are all commented out
		if conf.IsSource(v.Type()) {
			s.MaxProps = 1
		}
		for _, child := range conf.Fields(v.Type()) {
			s.Properties = append(s.Properties, jsonschema.Property{Name: child.Name,
				Schema: describe(v.FieldByIndex(child.Index), child)})
		}
	case v.Kind() == reflect.Map:
		s.Type, s.Additional = []string{"object", "null"}, jsonschema.Schema{Type: "string"}
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
		s.Type, s.Default, s.Minimum, s.Maximum = "number", v.Float(), json.Number(cmp.Or(f.Min, "0")), json.Number(
			f.Max)
	default:
		s.Type, s.Default, s.Minimum, s.Maximum = "integer", v.Int(), json.Number(cmp.Or(f.Min, "0")), json.Number(
			f.Max)
	}
	return s
}

// describeDuration lets the number 0 stand for no time, where no time is allowed; any other number lacks a unit.
func describeDuration(s *jsonschema.Schema, v reflect.Value, f conf.Field) {
	s.Default, s.Message = conf.Duration(time.Duration(v.Int())), "a duration is a number with a unit, such as 30s"
	if f.Min == "" {
		s.AnyOf = []jsonschema.Schema{{Type: "string", Pattern: durationPattern, Message: s.Message}, {Const: 0}}
	} else {
		s.Type, s.Pattern = "string", durationPattern
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

func describeList(s *jsonschema.Schema, v reflect.Value, f conf.Field) {
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
