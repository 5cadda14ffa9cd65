package input

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jsonquote"
	"github.com/authz-sidecar/sidecar/internal/typeaddr"
)

// AppendJSON appends the JSON form of d to dst: what json.Marshal writes, with the members of maps sorted. The claims
// and the authorization details are copied as they are, so they have no white space. An error says that a text is not
// UTF-8, or that other JSON cannot be read.
//
// The decision log has a document for each decision, and json.Marshal takes five times as long: it parses the claims
// again.
func (d *Document) AppendJSON(dst []byte) ([]byte, error) {
	return documentAppender(dst, unsafe.Pointer(d))
}

var documentAppender = structAppender(reflect.TypeFor[Document]())

// appender appends the JSON form of the value of one type at an address.
type appender func(dst []byte, at unsafe.Pointer) ([]byte, error)

// appenderFor returns the appender of a type: of those of Document and their parts, json.Marshal for any other.
func appenderFor(t reflect.Type) appender {
	switch t {
	case reflect.TypeFor[string]():
		return func(dst []byte, at unsafe.Pointer) ([]byte, error) { return jsonquote.Append(dst, *(*string)(at)) }
	case reflect.TypeFor[bool]():
		return func(dst []byte, at unsafe.Pointer) ([]byte, error) {
			return strconv.AppendBool(dst, *(*bool)(at)), nil
		}
	case reflect.TypeFor[int]():
		return func(dst []byte, at unsafe.Pointer) ([]byte, error) {
			return strconv.AppendInt(dst, int64(*(*int)(at)), 10), nil
		}
	case reflect.TypeFor[int64]():
		return func(dst []byte, at unsafe.Pointer) ([]byte, error) {
			return strconv.AppendInt(dst, *(*int64)(at), 10), nil
		}
	case reflect.TypeFor[[]string]():
		return func(dst []byte, at unsafe.Pointer) ([]byte, error) { return appendTexts(dst, *(*[]string)(at)) }
	case reflect.TypeFor[map[string][]string]():
		return func(dst []byte, at unsafe.Pointer) ([]byte, error) {
			return appendLists(dst, *(*map[string][]string)(at))
		}
	case reflect.TypeFor[Request](), reflect.TypeFor[Token](), reflect.TypeFor[Subject](), reflect.TypeFor[Auth](),
		reflect.TypeFor[Binding]():
		return structAppender(t)
	}
	return func(dst []byte, at unsafe.Pointer) ([]byte, error) {
		b, err := json.Marshal(reflect.NewAt(t, at).Interface(), json.Deterministic(true))
		return append(dst, b...), err
	}
}

// appendCompact appends JSON that has no white space, and was read before.
func appendCompact(dst []byte, at unsafe.Pointer) ([]byte, error) {
	if text := *(*jsontext.Value)(at); len(text) > 0 {
		return append(dst, text...), nil
	}
	return append(dst, "null"...), nil
}

// memberAppender appends one member of an object.
type memberAppender struct {
	offset uintptr
	name   string                    // `,"name":`
	isZero func(unsafe.Pointer) bool // nil for a member that is never absent
	value  appender
}

func structAppender(t reflect.Type) appender {
	var members []memberAppender
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		m := memberAppender{offset: f.Offset, name: "," + strconv.Quote(name) + ":", value: appenderFor(f.Type)}
		if options == "omitzero" {
			m.isZero = typeaddr.IsZero(f.Type)
		}
		if t == reflect.TypeFor[Token]() && f.Type == reflect.TypeFor[jsontext.Value]() {
			m.value = appendCompact
		}
		members = append(members, m)
	}
	return func(dst []byte, at unsafe.Pointer) (_ []byte, err error) {
		begin := len(dst)
		for i := range members {
			m := &members[i]
			value := unsafe.Add(at, m.offset)
			if m.isZero != nil && m.isZero(value) {
				continue
			}
			if dst, err = m.value(append(dst, m.name...), value); err != nil {
				return dst, err
			}
		}
		if len(dst) == begin {
			return append(dst, "{}"...), nil
		}
		dst[begin] = '{' // in place of the first comma
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
