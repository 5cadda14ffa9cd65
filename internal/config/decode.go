package config

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/yamlnode"
)

// decode merges the defaults, the file and the environment. It is false when the file is not YAML, so that the meaning
// of the configuration cannot be checked.
func (r *reader) decode(src []byte, environ []string) (*Config, bool) {
	c := r.defaults
	v := reflect.ValueOf(c).Elem()
	root, ok := r.document(src)
	if ok && root != nil {
		r.at[""] = place(root)
		r.value(root, v, conf.Field{}, "")
	}
	r.environment(v, environ)
	return c, ok
}

// document returns the root of the one document in src, or nil when there is none.
func (r *reader) document(src []byte) (*yamlnode.Node, bool) {
	root, err := yamlnode.Parse(src)
	switch {
	case err == nil:
	case root != nil:
		r.faultAt(origin{line: err.Line, column: err.Column}, "", "a second document begins here",
			`keep one document: remove what follows "---"`)
	default:
		r.faultAt(origin{line: err.Line, column: err.Column}, "", "is not YAML: "+err.Message,
			hintForSyntax(err.Message))
		return nil, false
	}
	return root, true
}

// value sets v from node n. A part of n that is wrong is reported, and leaves its part of v unchanged.
func (r *reader) value(n *yamlnode.Node, v reflect.Value, f conf.Field, path string) {
	switch {
	case conf.IsSource(v.Type()) && n.Kind != yamlnode.Mapping && n.Kind != yamlnode.Null:
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
	r.fault(path, "a secret is never written here", "name where it is kept, {file: /run/secrets/client} or {env: "+
		"CLIENT_SECRET}, and replace it now that it was in the open")
}

func (r *reader) structure(n *yamlnode.Node, v reflect.Value, path string) {
	for _, m := range r.members(n, path, conf.Names(v.Type())) {
		key := m.Key.Text
		f, ok := conf.FieldNamed(v.Type(), key)
		switch {
		case ok:
			r.value(m.Value, v.FieldByIndex(f.Index), f, conf.Join(path, key))
		case conf.IsSource(v.Type()):
			// The key may be the secret itself.
			r.faultAt(place(m.Key), path, "holds a key other than file and env",
				"name where the secret is kept, {file: /run/secrets/client} or {env: CLIENT_SECRET}")
		default:
			r.unknownKey(m.Key, v.Type(), path)
		}
	}
}

func (r *reader) table(n *yamlnode.Node, v reflect.Value, f conf.Field, path string) {
	for _, m := range r.members(n, path, nil) {
		e := reflect.New(v.Type().Elem()).Elem()
		r.value(m.Value, e, f, conf.Join(path, m.Key.Text))
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		v.SetMapIndex(reflect.ValueOf(m.Key.Text), e)
	}
}

func (r *reader) list(n *yamlnode.Node, v reflect.Value, f conf.Field, path string) {
	if n.Kind != yamlnode.List {
		r.shapeless[path] = true
		hint := "write one item a line, each after a dash, or [] for an empty list"
		if conf.IsStrings(v.Type()) && n.Kind == yamlnode.Text {
			hint = "write it in brackets, such as [a] or [a, b], or [] for an empty list"
		}
		r.fault(path, "is "+n.Kind.String()+", not a list", hint)
		return
	}
	v.SetZero()
	for i, c := range n.Items {
		at := conf.Item(path, i)
		r.at[at] = place(c)
		e := reflect.New(v.Type().Elem()).Elem()
		conf.SetDefaults(e)
		switch {
		case conf.IsStrings(v.Type()) && r.foreign(c, e, at):
		case c.Kind == yamlnode.Text && conf.IsStrings(v.Type()):
			if p := conf.SetItem(e, f, c.Text); p != nil {
				r.fault(at, p.Cause, p.Hint)
			}
		default:
			r.value(c, e, f, at)
		}
		v.Set(reflect.Append(v, e))
	}
}

func (r *reader) scalar(n *yamlnode.Node, v reflect.Value, f conf.Field, path string) {
	if r.foreign(n, v, path) {
		return
	}
	wanted, kinds := wants(v)
	if n.Kind == yamlnode.Null {
		r.fault(path, "has no value", "write a value, or remove the key to use its default")
		return
	}
	if !slices.Contains(kinds, n.Kind) {
		hint := "write " + wanted
		switch {
		case len(f.Enum) > 0:
			hint = "write one of " + strings.Join(f.Enum, ", ")
		case strings.HasSuffix(f.Name, "_bytes"):
			hint = "write the number of bytes, such as 67108864, without a unit"
		case n.Scalar() && v.Kind() == reflect.String:
			hint = "put it in quotes"
		case n.Quoted:
			hint = "write it without quotes"
		}
		r.fault(path, "is "+n.Kind.String()+", not "+wanted, hint)
		if v.Kind() == reflect.String && len(f.Enum) == 0 {
			v.SetString(cmp.Or(n.Text, "{{")) // it is not missing
		}
		return
	}
	if p := conf.SetText(v, f, n.Text); p != nil {
		r.fault(path, p.Cause, p.Hint)
	}
}

// wants names the kind of scalar that v takes, and the kinds of nodes that may carry it. Some wrong ones pass because
// conf.SetText explains them better: ttl: 5 lacks a unit, and 1.5 is not a whole number.
func wants(v reflect.Value) (words string, kinds []yamlnode.Kind) {
	switch {
	case conf.IsDuration(v.Type()):
		return `a duration, such as "5s"`, []yamlnode.Kind{yamlnode.Text, yamlnode.Int, yamlnode.Float}
	case v.Kind() == reflect.Bool:
		return "true or false", []yamlnode.Kind{yamlnode.Bool}
	case v.Kind() == reflect.String:
		return "text", []yamlnode.Kind{yamlnode.Text}
	case v.Kind() == reflect.Float64:
		return "a number", []yamlnode.Kind{yamlnode.Int, yamlnode.Float}
	}
	return "a whole number", []yamlnode.Kind{yamlnode.Int, yamlnode.Float}
}
