package document

import (
	"encoding/binary"
	"reflect"
	"slices"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/engine/reads"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/typeaddr"
)

// Key writes those values of a document that a rule may read: two documents have the same text only if all these
// values are equal, and absent where the others are. Each value is written straight from its Go type, with its length.
type Key struct {
	write  appender
	narrow *reads.Narrowing
	// segments is set when the segments of the path are written after all else, as far as they are known.
	segments bool
}

// appender appends the text of the value of one Go type at an address; the type is that by which appenderFor chose it.
type appender func(dst []byte, at unsafe.Pointer) []byte

// NewKey returns the key of rules that read paths of documents that v converts. JSON that v reads is part of the key
// even where the rules do not read it: it may be text that cannot be read, and then there is no answer.
func NewKey(paths []reads.Path, narrow *reads.Narrowing, v *View) *Key {
	root := &part{narrow: narrow}
	for _, p := range paths {
		root.add(p)
	}
	for _, p := range v.json() {
		root.add(p)
	}
	k := &Key{narrow: narrow, write: appenderFor(reflect.TypeFor[input.Document](), root)}
	if request := root.named("request"); request != nil && narrow.Segments {
		s := request.named("segments")
		k.segments = s != nil && s.all
	}
	return k
}

// Append appends the key of d to dst.
func (k *Key) Append(dst []byte, d *input.Document) []byte {
	from := len(dst)
	dst = k.write(dst, unsafe.Pointer(d))
	if k.segments {
		dst = appendSegments(dst, from, d.Request.Segments, k.narrow)
	}
	return dst
}

// part is a part of the document that is in a key: all of it, or parts of it.
type part struct {
	all    bool
	parts  []namedPart
	narrow *reads.Narrowing
}

type namedPart struct {
	reads.Step
	part *part
}

func (n *part) add(p reads.Path) {
	for _, s := range p {
		i := slices.IndexFunc(n.parts, func(o namedPart) bool { return o.Step == s })
		if i < 0 {
			i = len(n.parts)
			n.parts = append(n.parts, namedPart{s, &part{narrow: n.narrow}})
		}
		n = n.parts[i].part
	}
	n.all = true
}

// named is the part of a name, or nil when it is not in the key.
func (n *part) named(name string) *part {
	if n.all {
		return &part{all: true, narrow: n.narrow}
	}
	for _, p := range n.parts {
		if !p.IsPosition && p.Name == name {
			return p.part
		}
	}
	return nil
}

// json are the paths of the members of type JSON in what v converts.
func (v *View) json() (out []reads.Path) {
	t := reflect.TypeFor[input.Document]()
	for _, m := range v.document {
		if m.name != "token" && m.name != "request" {
			out = append(out, jsonIn(t.Field(m.index).Type, reads.Path{{Name: m.name}})...)
		}
	}
	t = reflect.TypeFor[input.Token]()
	for _, m := range slices.Concat(v.static, v.perRequest) {
		out = append(out, jsonIn(t.Field(m.index).Type, reads.Path{{Name: "token"}, {Name: m.name}})...)
	}
	return out
}

func jsonIn(t reflect.Type, at reads.Path) (out []reads.Path) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[jsontext.Value]() {
		return []reads.Path{at}
	}
	if t.Kind() == reflect.Struct {
		for _, m := range membersOf(t) {
			out = append(out, jsonIn(t.Field(m.index).Type, append(slices.Clip(at), reads.Step{Name: m.name}))...)
		}
	}
	return out
}

// appenderFor returns what appends the parts in n of a value of type t. What the type cannot have is never read.
func appenderFor(t reflect.Type, n *part) appender {
	if t == reflect.TypeFor[jsontext.Value]() {
		return func(dst []byte, at unsafe.Pointer) []byte { return appendText(dst, *(*jsontext.Value)(at)) }
	}
	switch t.Kind() {
	case reflect.Pointer:
		inner := appenderFor(t.Elem(), n)
		return func(dst []byte, at unsafe.Pointer) []byte {
			to := *(*unsafe.Pointer)(at)
			if to == nil {
				return append(dst, absent)
			}
			return inner(append(dst, present), to)
		}
	case reflect.Bool:
		return func(dst []byte, at unsafe.Pointer) []byte { return append(dst, marked(*(*bool)(at))) }
	case reflect.Int:
		return func(dst []byte, at unsafe.Pointer) []byte { return binary.AppendVarint(dst, int64(*(*int)(at))) }
	case reflect.Int64:
		return func(dst []byte, at unsafe.Pointer) []byte { return binary.AppendVarint(dst, *(*int64)(at)) }
	case reflect.String:
		return func(dst []byte, at unsafe.Pointer) []byte { return appendText(dst, *(*string)(at)) }
	case reflect.Slice:
		mustBe[[]string](t)
		of := textsAppender(n)
		return func(dst []byte, at unsafe.Pointer) []byte { return of(dst, *(*[]string)(at)) }
	case reflect.Map:
		mustBe[map[string][]string](t)
		return listsAppender(n)
	case reflect.Struct:
		return structAppender(t, n)
	}
	panic("no key of " + t.String())
}

// mustBe keeps a type that is added to the document from being read as another.
func mustBe[T any](t reflect.Type) {
	if t != reflect.TypeFor[T]() {
		panic("no key of " + t.String())
	}
}

// The marks of what is there and what is not.
const (
	absent  = byte(0)
	present = byte(1)
)

func marked(is bool) byte {
	if is {
		return present
	}
	return absent
}

func appendText[T ~string | ~[]byte](dst []byte, text T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

func structAppender(t reflect.Type, n *part) appender {
	type field struct {
		offset uintptr
		isZero func(unsafe.Pointer) bool // nil for a member that is never absent
		write  appender
	}
	var fields []field
	for _, m := range membersOf(t) {
		p := n.named(m.name)
		if p == nil {
			continue
		}
		of := t.Field(m.index)
		f := field{offset: of.Offset, write: narrowed(t, m.name, p)}
		if f.write == nil {
			f.write = appenderFor(of.Type, p)
		}
		if m.omit {
			f.isZero = typeaddr.IsZero(of.Type)
		}
		fields = append(fields, f)
	}
	return func(dst []byte, at unsafe.Pointer) []byte {
		for i := range fields {
			f := &fields[i]
			value := unsafe.Add(at, f.offset)
			if f.isZero != nil {
				if f.isZero(value) {
					dst = append(dst, absent)
					continue
				}
				dst = append(dst, present)
			}
			dst = f.write(dst, value)
		}
		return dst
	}
}

// textsAppender appends a list, or the elements of it that are in n.
func textsAppender(n *part) func(dst []byte, list []string) []byte {
	if n.all {
		return appendTexts
	}
	return func(dst []byte, list []string) []byte {
		for i := range n.parts {
			p := &n.parts[i]
			switch {
			case p.IsPosition && p.Position < len(list):
				dst = appendText(append(dst, present), list[p.Position])
			case p.IsPosition:
				dst = append(dst, absent)
			}
		}
		return dst
	}
}

func appendTexts(dst []byte, list []string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, s := range list {
		dst = appendText(dst, s)
	}
	return dst
}

// listsAppender appends lists by name, or those whose names are in n.
func listsAppender(n *part) appender {
	if n.all {
		return func(dst []byte, at unsafe.Pointer) []byte {
			return appendLists(dst, *(*map[string][]string)(at), nil)
		}
	}
	type member struct {
		name  string
		write func([]byte, []string) []byte
	}
	var members []member
	for _, p := range n.parts {
		if !p.IsPosition {
			members = append(members, member{p.Name, textsAppender(p.part)})
		}
	}
	return func(dst []byte, at unsafe.Pointer) []byte {
		lists := *(*map[string][]string)(at)
		for i := range members {
			list, ok := lists[members[i].name]
			if !ok {
				dst = append(dst, absent)
				continue
			}
			dst = members[i].write(append(dst, present), list)
		}
		return dst
	}
}

// appendLists appends the lists of those names that are wanted, in the order of the names; nil wants all.
func appendLists(dst []byte, lists map[string][]string, wanted func(string) bool) []byte {
	var space [16]string
	names := space[:0]
	for name := range lists {
		if wanted == nil || wanted(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	dst = binary.AppendUvarint(dst, uint64(len(names)))
	for _, name := range names {
		dst = appendTexts(appendText(dst, name), lists[name])
	}
	return dst
}
