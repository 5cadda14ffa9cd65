package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/suggest"
	"github.com/authz-sidecar/sidecar/internal/yamlnode"
)

// unknownKey is the cause of the fault of a key that does not exist.
const unknownKey = "unknown key"

// unknownKey reports a key that struct type t does not have. What is missing under the name that was meant is no fault
// of its own.
func (r *reader) unknownKey(key *yamlnode.Node, t reflect.Type, path string) {
	r.faultAt(place(key), conf.Join(path, key.Text), unknownKey, hintForKey(t, key.Text))
	if meant := meantKey(t, key.Text); meant != "" {
		r.shapeless[conf.Join(path, meant)] = true
	}
}

// meantKey is the key of t that was probably meant, or "". Other products spell keys in camel case, or repeat the name
// of the section in them.
func meantKey(t reflect.Type, key string) string {
	if s := suggest.Closest(key, conf.Names(t)); s != "" {
		return s
	}
	meant := ""
	for _, name := range conf.Names(t) {
		if strings.HasSuffix(key, "_"+name) && len(name) > len(meant) {
			meant = name
		}
	}
	return meant
}

// hintForKey names the key that was probably meant: a similar one here, or the same one in another section.
func hintForKey(t reflect.Type, key string) string {
	if former, ok := reflect.Zero(t).Interface().(conf.Remover); ok && former.Removed(key) != "" {
		return former.Removed(key)
	}
	if s := meantKey(t, key); s != "" {
		return fmt.Sprintf("did you mean %q?", s)
	}
	if places := keysNamed(reflect.TypeFor[Config](), key, ""); 0 < len(places) && len(places) <= 2 {
		return "it belongs at " + strings.Join(places, " or ")
	}
	return "the keys here are " + strings.Join(conf.Names(t), ", ")
}

// keysNamed returns the paths of all keys of a name in t and below.
func keysNamed(t reflect.Type, name, path string) []string {
	var places []string
	for _, f := range conf.Fields(t) {
		at, ft := conf.Join(path, f.Name), t.FieldByIndex(f.Index).Type
		if f.Name == name {
			places = append(places, at)
		}
		if ft.Kind() == reflect.Slice {
			at, ft = at+"[]", ft.Elem()
		}
		if ft.Kind() == reflect.Struct {
			places = append(places, keysNamed(ft, name, at)...)
		}
	}
	return places
}
