package conf

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Field is one key: what the tags of a struct field say. The zero Field has no name, no default and no bounds.
type Field struct {
	Name       string
	Doc        string
	Default    string
	Min, Max   string // text of the bounds, in the form of the field's values
	Enum       []string
	BlankItems bool  // an empty text is an item of a list
	IsRead     bool  // the value names a file or directory that is read
	Index      []int // of the struct field, as reflect.Value.FieldByIndex takes it
}

// Worder is a struct with a key whose allowed words are a list in Go, such as the algorithms that a library knows.
// Words returns those of a key without an enum tag, or nil when any text is allowed. They do not depend on the values
// of the struct.
type Worder interface {
	Words(key string) []string
}

// Remover is a struct that had other keys in earlier versions. Removed says what to write in place of one, or "".
type Remover interface {
	Removed(key string) string
}

// Fields returns the fields of struct type t that have a yaml name, in their order. Those of an inlined struct stand
// in its place; the tag default of the inlined struct, a list of key=value, wins over their own defaults.
func Fields(t reflect.Type) []Field {
	var fields []Field
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		name, option, _ := strings.Cut(tag.Get("yaml"), ",")
		if option == "inline" {
			for _, f := range Fields(t.Field(i).Type) {
				f.Index = append([]int{i}, f.Index...)
				f.Default = inherited(f, tag.Get("default"))
				fields = append(fields, f)
			}
			continue
		}
		if name == "" || name == "-" {
			continue
		}
		f := Field{
			Name: name, Doc: tag.Get("doc"), Index: []int{i},
			Default: tag.Get("default"), Min: tag.Get("min"), Max: tag.Get("max"),
			BlankItems: tag.Get("items") == "blank", IsRead: tag.Get("path") == "read" ||
				strings.HasSuffix(name, "_file"),
		}
		if e := tag.Get("enum"); e != "" {
			f.Enum = strings.Split(e, "|")
		} else if w, ok := reflect.Zero(t).Interface().(Worder); ok {
			f.Enum = w.Words(name)
		}
		fields = append(fields, f)
	}
	return fields
}

// inherited is the default of f with what defaults, those of the struct where it is inlined, say about it.
func inherited(f Field, defaults string) string {
	var all []string
	for assignment := range strings.SplitSeq(defaults, ",") {
		switch key, text, _ := strings.Cut(assignment, "="); {
		case key == f.Name:
			return text
		case strings.HasPrefix(key, f.Name+"."):
			all = append(all, strings.TrimPrefix(assignment, f.Name+"."))
		}
	}
	if len(all) == 0 {
		return f.Default
	}
	return strings.Join(all, ",")
}

// FieldNamed returns the field of struct type t with the key name.
func FieldNamed(t reflect.Type, name string) (Field, bool) {
	for _, f := range Fields(t) {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// Names returns the keys of struct type t.
func Names(t reflect.Type) []string {
	var s []string
	for _, f := range Fields(t) {
		s = append(s, f.Name)
	}
	return s
}

// IsDuration reports whether t is a time.Duration, which is written with a unit.
func IsDuration(t reflect.Type) bool { return t == reflect.TypeFor[time.Duration]() }

// IsSource reports whether t names where a secret is kept.
func IsSource(t reflect.Type) bool { return t == reflect.TypeFor[secret.Source]() }

// IsStrings reports whether t is a list of strings.
func IsStrings(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String
}

// Default returns a T whose keys have their defaults.
func Default[T any]() T {
	var cfg T
	SetDefaults(reflect.ValueOf(&cfg).Elem())
	return cfg
}

// SetDefaults gives every key below the struct v, which must be settable, its default. It panics when a default breaks
// a rule of its own key, which is a mistake in a tag; a test of package config reads every tag.
func SetDefaults(v reflect.Value) { setDefaults(v, Field{}) }

func setDefaults(v reflect.Value, f Field) {
	if v.Kind() != reflect.Struct {
		if f.Default != "" {
			mustSet(v, f, f.Default)
		}
		return
	}
	for _, child := range Fields(v.Type()) {
		setDefaults(v.FieldByIndex(child.Index), child)
	}
	if f.Default == "" {
		return
	}
	for assignment := range strings.SplitSeq(f.Default, ",") {
		key, text, _ := strings.Cut(assignment, "=")
		target, tf := v, Field{}
		for name := range strings.SplitSeq(key, ".") {
			tf, _ = FieldNamed(target.Type(), name)
			target = target.FieldByIndex(tf.Index)
		}
		mustSet(target, tf, text)
	}
}

func mustSet(v reflect.Value, f Field, text string) {
	if p := SetText(v, f, text); p != nil {
		panic(fmt.Sprintf("conf: default of %s: %s", f.Name, p.Cause))
	}
}
