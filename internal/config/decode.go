package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/suggest"
)

// decode puts together what the file and the environment say, and looks at nothing else. It is false when the file is
// not YAML, so that nothing sensible can be said of what the configuration means.
func (r *reader) decode(src []byte, environ []string) (*Config, bool) {
	c := Default()
	v := reflect.ValueOf(c).Elem()
	root, ok := r.document(src)
	if ok && root != nil {
		r.value(root, v, conf.Field{}, "")
	}
	r.environment(v, environ)
	return c, ok
}

// document returns the root of the one document in src, or nil when there is none.
func (r *reader) document(src []byte) (*yaml.Node, bool) {
	dec := yaml.NewDecoder(bytes.NewReader(src))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, true
		}
		r.syntax(err)
		return nil, false
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		r.faultAt(origin{line: second.Line, column: second.Column}, "", "a second document begins here", `keep one document: remove what follows "---"`)
	case !errors.Is(err, io.EOF):
		r.syntax(err)
		return nil, false
	}
	return doc.Content[0], true
}

// syntax reports an error of the YAML parser, whose text is "yaml: line 3: cause".
func (r *reader) syntax(err error) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	var o origin
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if number, message, ok := strings.Cut(rest, ": "); ok {
			o.line, _ = strconv.Atoi(number)
			text = message
		}
	}
	hint := "look at the indentation, and put text that has ': ' or begins with one of @`%&*![{ in quotes"
	// The name of an anchor can be a password that begins with an asterisk.
	if strings.HasPrefix(text, "unknown anchor") {
		text, hint = "an alias has no anchor", `put text that begins with "*" in quotes`
	}
	r.faultAt(o, "", "is not YAML: "+text, hint)
}

// value sets v from node n. A part that is wrong is reported, and leaves its part of v alone.
func (r *reader) value(n *yaml.Node, v reflect.Value, f conf.Field, path string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case conf.IsSource(v.Type()) && n.Kind != yaml.MappingNode && n.ShortTag() != "!!null":
		r.literalSecret(path)
	case v.Kind() == reflect.Struct:
		r.structure(n, v, path)
	case v.Kind() == reflect.Map:
		r.table(n, v, f, path)
	case v.Kind() == reflect.Slice:
		r.list(n, v, f, path)
	default:
		r.scalar(n, v, f, path)
	}
}

func (r *reader) literalSecret(path string) {
	r.fault(path, "a secret is never written here", "name where it is kept, {file: /run/secrets/client} or {env: CLIENT_SECRET}, and replace it now that it was in the open")
}

func (r *reader) structure(n *yaml.Node, v reflect.Value, path string) {
	for _, p := range r.pairs(n, path) {
		key := p.key.Value
		f, ok := conf.FieldNamed(v.Type(), key)
		switch {
		case ok:
			r.value(p.value, v.FieldByIndex(f.Index), f, conf.Join(path, key))
		case conf.IsSource(v.Type()):
			// What stands here may be the secret itself.
			r.faultAt(place(p.key), path, "holds a key other than file and env", "name where the secret is kept, {file: /run/secrets/client} or {env: CLIENT_SECRET}")
		default:
			r.faultAt(place(p.key), conf.Join(path, key), unknownKey, hintForKey(v.Type(), key))
		}
	}
}

// hintForKey says which key was meant: one nearby, or the same one elsewhere.
func hintForKey(t reflect.Type, key string) string {
	if s := suggest.Closest(key, conf.Names(t)); s != "" {
		return fmt.Sprintf("did you mean %q?", s)
	}
	if places := keysNamed(reflect.TypeFor[Config](), key, ""); len(places) == 1 {
		return fmt.Sprintf("it belongs at %s", places[0])
	}
	return "the keys here are " + strings.Join(conf.Names(t), ", ")
}

// keysNamed returns where, in t and below, a key of that name belongs.
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

func (r *reader) table(n *yaml.Node, v reflect.Value, f conf.Field, path string) {
	for _, p := range r.pairs(n, path) {
		e := reflect.New(v.Type().Elem()).Elem()
		r.value(p.value, e, f, conf.Join(path, p.key.Value))
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		v.SetMapIndex(reflect.ValueOf(p.key.Value), e)
	}
}

func (r *reader) list(n *yaml.Node, v reflect.Value, f conf.Field, path string) {
	if n.Kind != yaml.SequenceNode || n.ShortTag() != "!!seq" {
		r.fault(path, "is "+kind(n)+", not a list", "write one item a line, each after a dash, or [] for an empty list")
		return
	}
	v.SetZero()
	for i, c := range n.Content {
		at := conf.Item(path, i)
		r.at[at] = place(c)
		e := reflect.New(v.Type().Elem()).Elem()
		conf.SetDefaults(e)
		if c.Kind == yaml.ScalarNode && c.ShortTag() == "!!str" && conf.IsStrings(v.Type()) {
			if p := conf.SetItem(e, f, c.Value); p != nil {
				r.fault(at, p.Cause, p.Hint)
			}
		} else {
			r.value(c, e, f, at)
		}
		v.Set(reflect.Append(v, e))
	}
}

func (r *reader) scalar(n *yaml.Node, v reflect.Value, f conf.Field, path string) {
	wanted, tags := wants(v)
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		r.fault(path, "has no value", "write a value, or remove the key to use its default")
		return
	}
	if n.Kind != yaml.ScalarNode || !strings.Contains(tags, n.ShortTag()) {
		hint := "write " + wanted
		switch {
		case n.Kind == yaml.ScalarNode && v.Kind() == reflect.String:
			hint = "put it in quotes"
		case n.Kind == yaml.ScalarNode && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
			hint = "write it without quotes"
		}
		r.fault(path, "is "+kind(n)+", not "+wanted, hint)
		return
	}
	if p := conf.SetText(v, f, n.Value); p != nil {
		r.fault(path, p.Cause, p.Hint)
	}
}

// wants names the kind of scalar that v takes and the YAML tags that may carry it. Some wrong ones are let through
// because setText explains them better: ttl: 5 lacks a unit, and 1.5 is not a whole number.
func wants(v reflect.Value) (words, tags string) {
	switch {
	case conf.IsDuration(v.Type()):
		return `a duration, such as "5s"`, "!!str !!int !!float"
	case v.Kind() == reflect.Bool:
		return "true or false", "!!bool"
	case v.Kind() == reflect.String:
		return "text", "!!str"
	case v.Kind() == reflect.Float64:
		return "a number", "!!int !!float"
	}
	return "a whole number", "!!int !!float"
}

// kind says in words what n is, without showing what it holds.
func kind(n *yaml.Node) string {
	switch n.ShortTag() {
	case "!!map":
		return "a mapping"
	case "!!seq":
		return "a list"
	case "!!str":
		return "text"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "nothing"
	case "!!timestamp":
		return "a date"
	}
	return "a value with a tag of its own"
}

// unknownKey is the cause of a fault of a key that is none.
const unknownKey = "unknown key"
