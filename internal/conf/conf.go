// Package conf gives the tags of configuration structs their meaning: which keys there are, their defaults, and which
// values they may have. What a tag says is enforced here alone: for values that are parsed from text (SetText) and for
// structs that are filled in by Go code (Check, Validate).
//
//	yaml     name of the key; ",inline" makes the keys of a struct keys of its parent
//	doc      description of the key, in English, for users
//	default  value of a key that is left out; for a struct "key=value,..." on top of its own fields' defaults
//	min, max least and greatest number or duration. Without min the least is 0: no count, size or time is negative
//	enum     the allowed words, separated by "|". In a list each item must be one of them. A list that Go code
//	         knows is given by a Words method instead: see Worder
//	items    "blank" allows empty items in a list of strings
//	path     "read" marks the name of a file or directory that is read
//
// Rules that tags cannot say, because they span several keys, are Check methods of the structs: see Checker.
package conf

import (
	"errors"
	"reflect"
	"strconv"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Checker is a struct with rules that its tags cannot say. Check calls fault for each rule that is broken. key is
// relative to the struct, such as client.secret.file, and empty for the struct as a whole; cause is lower case without
// full stop; hint says what to do, and may be empty. Check reports every fault, changes nothing and uses no network.
type Checker interface {
	Check(fault func(key, cause, hint string))
}

// Check reports every value in the struct cfg that breaks a tag or a rule of a Check method, at every level. Empty
// text passes: it stands for the default. The Check method of an inlined struct is left to the struct around it.
func Check(cfg any, fault func(key, cause, hint string)) {
	v := reflect.New(reflect.TypeOf(cfg)).Elem()
	v.Set(reflect.ValueOf(cfg))
	check(v, Field{}, "", fault)
}

// Validate is Check for a program: one error that names every fault as "key: cause", or nil.
func Validate(cfg any) error {
	var all []error
	Check(cfg, func(key, cause, _ string) {
		if key != "" {
			cause = key + ": " + cause
		}
		all = append(all, errors.New(cause))
	})
	return errors.Join(all...)
}

func check(v reflect.Value, f Field, path string, fault func(key, cause, hint string)) {
	switch {
	case IsSource(v.Type()):
		if s := v.Interface().(secret.Source); s.File != "" && s.Env != "" {
			fault(path, "names both a file and an environment variable", "remove one of the two")
		}
	case v.Kind() == reflect.Struct:
		for _, child := range Fields(v.Type()) {
			check(v.FieldByIndex(child.Index), child, Join(path, child.Name), fault)
		}
		if c, ok := v.Addr().Interface().(Checker); ok {
			c.Check(func(key, cause, hint string) { fault(Join(path, key), cause, hint) })
		}
	case v.Kind() == reflect.Slice:
		checkItems(v, f, path, fault)
	case v.Kind() == reflect.String && v.Len() == 0 || v.Kind() == reflect.Map:
	default:
		if p := allowed(v, f); p != nil {
			fault(path, p.Cause, p.Hint)
		}
	}
}

func checkItems(v reflect.Value, f Field, path string, fault func(key, cause, hint string)) {
	for i := range v.Len() {
		at := Item(path, i)
		if v.Type().Elem().Kind() != reflect.String {
			check(v.Index(i), f, at, fault)
		} else if p := allowedItem(v.Index(i), f); p != nil {
			fault(at, p.Cause, p.Hint)
		}
	}
}

// Join returns the name of a key below path.
func Join(path, key string) string {
	if path == "" || key == "" {
		return path + key
	}
	return path + "." + key
}

// Item returns the name of item i of the list at path.
func Item(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
