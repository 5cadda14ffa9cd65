package bundle

import (
	"encoding/json"
	"fmt"
	"reflect"
	"unsafe"
)

// MakeOf makes the value of a data file in another form, without that of DataFile.Value where the file is large.
// Values that are alike may be one. An error is about a value that is none of JSON.
func MakeOf[V any](d *DataFile, m Maker[V]) (V, error) {
	if raw := d.value.json(); raw != nil {
		return makeOfChecked(raw, m)
	}
	r := remaker[V]{make: m, texts: map[string]V{}, made: map[place]V{}}
	return r.of(d.value.get())
}

// remaker makes values of those of DataFile.Value. Equal texts become one, and a value that is at several places
// becomes one.
type remaker[V any] struct {
	make  Maker[V]
	texts map[string]V
	made  map[place]V
}

// place is where an object or an array is in memory, and how many members it has.
type place struct {
	at      unsafe.Pointer
	members int
}

func (r *remaker[V]) of(value any) (v V, err error) {
	switch value := value.(type) {
	case string:
		return r.text(value), nil
	case map[string]any:
		at := place{reflect.ValueOf(value).UnsafePointer(), len(value)}
		return r.once(at, func() (V, error) { return r.object(value) })
	case []any:
		at := place{unsafe.Pointer(unsafe.SliceData(value)), len(value)}
		return r.once(at, func() (V, error) { return r.array(value) })
	case bool:
		return r.make.Bool(value), nil
	case json.Number:
		return r.make.Number(value), nil
	case nil:
		return r.make.Null(), nil
	}
	return v, fmt.Errorf("a value of Go's type %T", value)
}

func (r *remaker[V]) text(s string) V {
	if v, ok := r.texts[s]; ok {
		return v
	}
	v := r.make.Text(s)
	remember(r.texts, s, v)
	return v
}

// once makes an object or array at a place in memory once. Those without members share such places.
func (r *remaker[V]) once(at place, make func() (V, error)) (V, error) {
	if at.members == 0 {
		return make()
	}
	if v, ok := r.made[at]; ok {
		return v, nil
	}
	v, err := make()
	if err == nil {
		r.made[at] = v
	}
	return v, err
}

func (r *remaker[V]) object(from map[string]any) (v V, err error) {
	members := make([][2]V, 0, len(from))
	for name, value := range from {
		member, err := r.of(value)
		if err != nil {
			return v, err
		}
		members = append(members, [2]V{r.text(name), member})
	}
	return r.make.Object(members), nil
}

func (r *remaker[V]) array(from []any) (v V, err error) {
	elements := make([]V, len(from))
	for i, value := range from {
		if elements[i], err = r.of(value); err != nil {
			return v, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return r.make.Array(elements), nil
}
