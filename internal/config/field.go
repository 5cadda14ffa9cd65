package config

import (
	"reflect"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// field is what the tags of a struct field say. The zero field has no name, no default and no bounds.
type field struct {
	name     string
	doc      string
	def      string // text of the default; for a struct "key.of.a.field=text,..." on top of its fields' own
	min, max string // text of the bounds, in the form of the field's values
	enum     []string
	blank    bool  // an empty text is an item of a list
	read     bool  // names a file or directory that is read
	index    []int // as reflect.Value.FieldByIndex takes it
}

// fieldsOf returns the fields of struct type t that have a yaml name, in their order. Those of a field tagged
// yaml:",inline" count as fields of t; what such a struct has to check is called by the Check of t.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		name, option, _ := strings.Cut(tag.Get("yaml"), ",")
		if option == "inline" {
			for _, f := range fieldsOf(t.Field(i).Type) {
				f.index = append([]int{i}, f.index...)
				fields = append(fields, f)
			}
			continue
		}
		if name == "" || name == "-" {
			continue
		}
		f := field{name: name, index: []int{i}, doc: tag.Get("doc"), def: tag.Get("default"), min: tag.Get("min"), max: tag.Get("max"), blank: tag.Get("items") == "blank", read: tag.Get("path") == "read"}
		if e := tag.Get("enum"); e != "" {
			f.enum = strings.Split(e, "|")
		}
		fields = append(fields, f)
	}
	return fields
}

func fieldNamed(t reflect.Type, name string) (field, bool) {
	for _, f := range fieldsOf(t) {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

// names returns the keys of struct type t.
func names(t reflect.Type) []string {
	var s []string
	for _, f := range fieldsOf(t) {
		s = append(s, f.name)
	}
	return s
}

func isDuration(t reflect.Type) bool { return t == reflect.TypeFor[time.Duration]() }
func isSource(t reflect.Type) bool   { return t == reflect.TypeFor[secret.Source]() }
func isStrings(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String
}

// setDefaults gives v and all below it their defaults.
//
// A default that does not parse is a mistake in a tag of this program, not of an operator; a test reads every tag.
func setDefaults(v reflect.Value, f field) {
	if v.Kind() != reflect.Struct {
		if f.def != "" {
			mustSet(v, f, f.def)
		}
		return
	}
	for _, child := range fieldsOf(v.Type()) {
		setDefaults(v.FieldByIndex(child.index), child)
	}
	if f.def == "" {
		return
	}
	for assignment := range strings.SplitSeq(f.def, ",") {
		key, text, _ := strings.Cut(assignment, "=")
		target, tf := v, field{}
		for name := range strings.SplitSeq(key, ".") {
			tf, _ = fieldNamed(target.Type(), name)
			target = target.FieldByIndex(tf.index)
		}
		mustSet(target, tf, text)
	}
}

func mustSet(v reflect.Value, f field, text string) {
	if p := setText(v, f, text); p != nil {
		panic("config: default of " + f.name + ": " + p.cause)
	}
}
