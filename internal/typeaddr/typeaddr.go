// Package typeaddr reads values at addresses, for code that is derived from the types of structs once and runs for
// each request: without reflect.Value it takes half the time.
package typeaddr

import (
	"reflect"
	"unsafe"
)

// IsZero returns what reports whether the value of type t at an address is zero.
func IsZero(t reflect.Type) func(at unsafe.Pointer) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice: // of a slice too, the pointer to its elements comes first
		return func(at unsafe.Pointer) bool { return *(*unsafe.Pointer)(at) == nil }
	case reflect.Bool:
		return func(at unsafe.Pointer) bool { return !*(*bool)(at) }
	case reflect.Int:
		return func(at unsafe.Pointer) bool { return *(*int)(at) == 0 }
	case reflect.Int64:
		return func(at unsafe.Pointer) bool { return *(*int64)(at) == 0 }
	case reflect.String:
		return func(at unsafe.Pointer) bool { return *(*string)(at) == "" }
	}
	if t.Kind() != reflect.Struct {
		return func(at unsafe.Pointer) bool { return reflect.NewAt(t, at).Elem().IsZero() }
	}
	var fields []func(at unsafe.Pointer) bool
	for f := range t.Fields() {
		isZero, offset := IsZero(f.Type), f.Offset
		fields = append(fields, func(at unsafe.Pointer) bool { return isZero(unsafe.Add(at, offset)) })
	}
	return func(at unsafe.Pointer) bool {
		for _, isZero := range fields {
			if !isZero(at) {
				return false
			}
		}
		return true
	}
}
