package input

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jsonquote"
)

// AppendJSON appends the JSON form of d to dst: what json.Marshal writes, with the members of maps sorted. The claims
// and the authorization details are copied as they are, so they have no white space. An error says that a text is not
// UTF-8, or that other JSON cannot be read.
//
// The decision log has a document for each decision, and json.Marshal takes five times as long: it parses the claims
// again.
func (d *Document) AppendJSON(dst []byte) ([]byte, error) {
	return documentAppender(dst, reflect.ValueOf(d).Elem())
}

var documentAppender = structAppender(reflect.TypeFor[Document]())

// appender appends the JSON form of a value of one type.
type appender func(dst []byte, v reflect.Value) ([]byte, error)

// appenderFor returns the appender of a type: of those of Document and their parts, json.Marshal for any other.
func appenderFor(t reflect.Type) appender {
	switch t {
	case reflect.TypeFor[string]():
		return func(dst []byte, v reflect.Value) ([]byte, error) { return jsonquote.Append(dst, v.String()) }
	case reflect.TypeFor[bool]():
		return func(dst []byte, v reflect.Value) ([]byte, error) { return strconv.AppendBool(dst, v.Bool()), nil }
	case reflect.TypeFor[int](), reflect.TypeFor[int64]():
		return func(dst []byte, v reflect.Value) ([]byte, error) { return strconv.AppendInt(dst, v.Int(), 10), nil }
	case reflect.TypeFor[[]string]():
		return func(dst []byte, v reflect.Value) ([]byte, error) {
			return appendTexts(dst, *v.Addr().Interface().(*[]string))
		}
	case reflect.TypeFor[map[string][]string]():
		return func(dst []byte, v reflect.Value) ([]byte, error) {
			return appendLists(dst, *v.Addr().Interface().(*map[string][]string))
		}
	case reflect.TypeFor[Request](), reflect.TypeFor[Token](), reflect.TypeFor[Subject](), reflect.TypeFor[Auth](),
		reflect.TypeFor[Binding]():
		return structAppender(t)
	}
	return func(dst []byte, v reflect.Value) ([]byte, error) {
		b, err := json.Marshal(v.Interface(), json.Deterministic(true))
		return append(dst, b...), err
	}
}

// appendCompact appends JSON that has no white space, and was read before.
func appendCompact(dst []byte, v reflect.Value) ([]byte, error) {
	if text := v.Bytes(); len(text) > 0 {
		return append(dst, text...), nil
	}
	return append(dst, "null"...), nil
}

// memberAppender appends one member of an object.
type memberAppender struct {
	index int
	name  string // `"name":`
	omit  bool
	value appender
}

func structAppender(t reflect.Type) appender {
	var members []memberAppender
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		m := memberAppender{f.Index[0], strconv.Quote(name) + ":", options == "omitzero", appenderFor(f.Type)}
		if t == reflect.TypeFor[Token]() && f.Type == reflect.TypeFor[jsontext.Value]() {
			m.value = appendCompact
		}
		members = append(members, m)
	}
	return func(dst []byte, v reflect.Value) (_ []byte, err error) {
		before := byte('{')
		for i := range members {
			m := &members[i]
			value := v.Field(m.index)
			if m.omit && value.IsZero() {
				continue
			}
			dst = append(append(dst, before), m.name...)
			if dst, err = m.value(dst, value); err != nil {
				return dst, err
			}
			before = ','
		}
		if before == '{' {
			dst = append(dst, before)
		}
		return append(dst, '}'), nil
	}
}

func appendTexts(dst []byte, list []string) (_ []byte, err error) {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = jsonquote.Append(dst, s); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func appendLists(dst []byte, lists map[string][]string) (_ []byte, err error) {
	var space [16]string // most requests show fewer headers, and need no memory
	dst = append(dst, '{')
	names := slices.AppendSeq(space[:0], maps.Keys(lists))
	slices.Sort(names)
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = jsonquote.Append(dst, name); err != nil {
			return dst, err
		}
		if dst, err = appendTexts(append(dst, ':'), lists[name]); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}
