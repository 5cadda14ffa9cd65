package config

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"
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
	r.faultAt(place(key), conf.Join(path, key.Text), unknownKey, hintForKey(t, key.Text, path))
	if meant := meantKey(t, key.Text); meant != "" {
		section, _, _ := strings.Cut(meant, ".")
		r.shapeless[conf.Join(path, section)] = true
	}
}

// meantKey is the key of t that was probably meant, or one in a section of t, or "". Other products spell keys in
// camel case, repeat the name of the section in them, write client_id for client.id, or a host and a port for an
// address.
func meantKey(t reflect.Type, key string) string {
	key = snake(key)
	if _, ok := conf.FieldNamed(t, "address"); ok && (key == "host" || key == "port") {
		return "address"
	}
	if below := keysNamed(t, key, ""); len(below) == 1 && !strings.Contains(below[0], "[") {
		return below[0]
	}
	if s := suggest.Closest(key, conf.Names(t)); s != "" {
		return s
	}
	meant := ""
	for _, name := range conf.Names(t) {
		if strings.HasSuffix(key, "_"+name) && len(name) > len(meant) {
			meant = name
		}
	}
	return cmp.Or(meant, sameBeginning(t, key))
}

// sameBeginning is the only key of t that has an underscore and begins with the first word of key, or "".
func sameBeginning(t reflect.Type, key string) string {
	word, _, _ := strings.Cut(key, "_")
	var found []string
	for _, name := range conf.Names(t) {
		if strings.HasPrefix(name, word+"_") {
			found = append(found, name)
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// snake is a key as it is spelt here: max_bytes for maxBytes, max-bytes and max.bytes.
func snake(key string) string {
	key = camel.ReplaceAllString(key, "${1}_${2}")
	return strings.ToLower(strings.NewReplacer("-", "_", ".", "_").Replace(key))
}

var camel = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// hintForKey names the key that was probably meant: a similar one of t, which is at path, or the same one in another
// section.
func hintForKey(t reflect.Type, key, path string) string {
	if former, ok := reflect.Zero(t).Interface().(conf.Remover); ok && former.Removed(key) != "" {
		return former.Removed(key)
	}
	if s := meantKey(t, key); strings.Contains(s, ".") && strings.Contains(key, ".") {
		return "write it as " + strings.ReplaceAll(s, ".", ": {") + ": ..." +
			strings.Repeat("}", strings.Count(s, "."))
	} else if strings.Contains(s, ".") {
		return "it belongs at " + conf.Join(path, s)
	} else if s != "" {
		return fmt.Sprintf("did you mean %q?", s)
	}
	places := keysNamed(reflect.TypeFor[Config](), snake(key), "")
	if elsewhere := slices.DeleteFunc(slices.Clone(places), isOfPolicySource); len(elsewhere) > 0 {
		places = elsewhere
	}
	if 0 < len(places) && len(places) <= 2 {
		return "it belongs at " + strings.Join(places, " or ")
	}
	return "the keys here are " + strings.Join(conf.Names(t), ", ")
}

// isOfPolicySource reports whether a key is one of policies.sources, which has most keys of an issuer's client too:
// the issuer's are meant more often.
func isOfPolicySource(path string) bool { return strings.HasPrefix(path, "policies.sources[]") }

// keysNamed returns the paths of all keys in t and below whose last names, joined by underscores, are name.
func keysNamed(t reflect.Type, name, path string) []string {
	var places []string
	for _, f := range conf.Fields(t) {
		at, ft := conf.Join(path, f.Name), t.FieldByIndex(f.Index).Type
		if endsIn(at, name) {
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

// endsIn reports whether name is the last names of a path, joined by underscores.
func endsIn(path, name string) bool {
	names := strings.Split(strings.ReplaceAll(path, "[]", ""), ".")
	for i := range names {
		if strings.Join(names[i:], "_") == name {
			return true
		}
	}
	return false
}
