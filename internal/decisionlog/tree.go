package decisionlog

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jsonquote"
)

// tree is a JSON value taken apart no further than it was walked. Whatever is not touched is written back byte for
// byte: numbers keep their digits and members their order.
type tree struct {
	raw     jsontext.Value // nil once taken apart
	object  bool
	names   []string // of an object, in step with kids
	kids    []*tree
	removed bool // its place stays, so that pointers go on naming what the masker saw
}

// open takes t apart by one level. It reports whether t is an object or an array.
func (t *tree) open() (bool, error) {
	if t.raw == nil {
		return true, nil
	}
	k := t.raw.Kind()
	if k != '{' && k != '[' {
		return false, nil
	}
	d := jsontext.NewDecoder(bytes.NewReader(t.raw))
	if _, err := d.ReadToken(); err != nil {
		return false, errNotJSON
	}
	for d.PeekKind() != '}' && d.PeekKind() != ']' {
		if k == '{' {
			name, err := d.ReadToken()
			if err != nil {
				return false, errNotJSON
			}
			t.names = append(t.names, name.String())
		}
		v, err := d.ReadValue()
		if err != nil {
			return false, errNotJSON
		}
		t.kids = append(t.kids, &tree{raw: v.Clone()})
	}
	t.raw, t.object = nil, k == '{'
	return true, nil
}

// child finds the member or element that step names, or nil.
func (t *tree) child(step string) (*tree, error) {
	if ok, err := t.open(); !ok {
		return nil, err
	}
	i := t.index(step)
	if i < 0 || t.kids[i].removed {
		return nil, nil
	}
	return t.kids[i], nil
}

// index is the place of step among kids, or -1.
func (t *tree) index(step string) int {
	if t.object {
		return slices.Index(t.names, step)
	}
	if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(t.kids) {
		return i
	}
	return -1
}

// remove takes away what steps lead to, and reports whether there was something.
func (t *tree) remove(steps []string) (bool, error) {
	for _, step := range steps {
		next, err := t.child(step)
		if next == nil {
			return false, err
		}
		t = next
	}
	was := t.removed
	t.removed = true
	return !was, nil
}

// upsert puts value where steps lead, making objects on the way, and reports whether it could: a scalar, or an index
// out of range, is in the way of it.
func (t *tree) upsert(steps []string, value jsontext.Value) (bool, error) {
	for n, step := range steps {
		if ok, err := t.open(); !ok {
			return false, err
		}
		i := t.index(step)
		if i < 0 {
			if !t.object {
				return false, nil
			}
			i = len(t.kids)
			t.names = append(t.names, step)
			t.kids = append(t.kids, &tree{object: true})
		}
		if t.kids[i].removed && n < len(steps)-1 {
			t.kids[i] = &tree{object: true}
		}
		t = t.kids[i]
	}
	*t = tree{raw: value}
	return true, nil
}

// appendTo appends t to dst.
func (t *tree) appendTo(dst []byte) []byte {
	if t.raw != nil {
		return append(dst, t.raw...)
	}
	brackets := "[]"
	if t.object {
		brackets = "{}"
	}
	dst = append(dst, brackets[0])
	first := true
	for i, kid := range t.kids {
		if kid.removed {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		if t.object {
			dst = append(jsonquote.AppendValid(dst, t.names[i]), ':')
		}
		dst = kid.appendTo(dst)
	}
	return append(dst, brackets[1])
}

// AppendJSON makes a tree a value of an event.
func (t *tree) AppendJSON(dst []byte) ([]byte, error) { return t.appendTo(dst), nil }

// errNotJSON says nothing of the value it is about.
var errNotJSON = errors.New("not a JSON value")

// parsePointer splits an RFC 6901 pointer that names something below the root.
func parsePointer(p string) ([]string, error) {
	switch pointer := jsontext.Pointer(p); {
	case p == "" || p[0] != '/':
		return nil, fmt.Errorf("pointer %q does not begin with a slash", p)
	case !pointer.IsValid():
		return nil, fmt.Errorf("pointer %q has a stray ~", p)
	default:
		return slices.Collect(pointer.Tokens()), nil
	}
}
