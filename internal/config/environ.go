package config

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/conf"
)

const prefix = "SIDECAR_"

// FileVariable is the environment variable that names the configuration file where no flag does. It is no key.
const FileVariable = "SIDECAR_CONFIG"

// variable returns the name of the environment variable that overrides key.
func variable(key string) string {
	return prefix + strings.ToUpper(strings.NewReplacer(".", "_", "[", "_", "]", "").Replace(key))
}

// step leads from a value to one below it: a field of a struct, an item of a list, or an entry of a map.
type step struct {
	field conf.Field
	index int
	key   string
}

// override is one environment variable, its text, and the path to the value that it sets.
type override struct {
	variable, text string
	steps          []step
}

// environment applies every SIDECAR_* variable to v, and reports those that name no key.
func (r *reader) environment(v reflect.Value, environ []string) {
	var overrides []override
	var unknown []string
	for _, e := range environ {
		name, text, _ := strings.Cut(e, "=")
		upper := strings.ToUpper(name)
		rest, ok := strings.CutPrefix(upper, prefix)
		if !ok || name == FileVariable {
			continue
		}
		steps, ok := resolve(v.Type(), rest)
		switch {
		case name != upper && (ok || strings.HasPrefix(name, prefix)):
			unknown = append(unknown, name)
		case name != upper: // a variable of another program
		case ok:
			overrides = append(overrides, override{name, text, steps})
		default:
			unknown = append(unknown, name)
		}
	}
	// Items in the order of their numbers: each is appended to the one before it.
	slices.SortStableFunc(overrides, func(a, b override) int {
		return slices.CompareFunc(a.steps, b.steps, func(a, b step) int {
			return cmp.Or(slices.Compare(a.field.Index, b.field.Index), cmp.Compare(a.index, b.index),
				cmp.Compare(a.key, b.key))
		})
	})
	for i, o := range overrides {
		if i > 0 && overrides[i-1].variable == o.variable {
			r.faultAt(origin{variable: o.variable}, "", "is set twice", "set it once")
			continue
		}
		r.apply(v, conf.Field{}, o, o.steps, "")
	}
	r.unknown(v, unknown)
}

// resolve returns the path to the key below type t that rest, the name of a variable without its prefix, overrides.
// Keys contain underscores too: each way to split the name is tried, longest key first.
func resolve(t reflect.Type, rest string) ([]step, bool) {
	switch {
	case rest == "" && (t.Kind() != reflect.Struct || conf.IsSource(t)):
		return nil, t.Kind() != reflect.Map && (t.Kind() != reflect.Slice || conf.IsStrings(t))
	case t.Kind() == reflect.Struct:
		return resolveField(t, rest)
	case t.Kind() == reflect.Slice:
		number, rest, more := strings.Cut(rest, "_")
		i, err := strconv.Atoi(number)
		if err != nil || strconv.Itoa(i) != number || i < 0 || more && rest == "" {
			return nil, false
		}
		below, ok := resolve(t.Elem(), rest)
		return append([]step{{index: i}}, below...), ok
	case t.Kind() == reflect.Map:
		key := strings.ToLower(rest)
		return []step{{key: key}}, plainKey(key)
	}
	return nil, false
}

func resolveField(t reflect.Type, rest string) ([]step, bool) {
	fields := conf.Fields(t)
	slices.SortStableFunc(fields, func(a, b conf.Field) int { return cmp.Compare(len(b.Name), len(a.Name)) })
	for _, f := range fields {
		after, ok := strings.CutPrefix(rest, strings.ToUpper(f.Name))
		below, sep := strings.CutPrefix(after, "_")
		if !ok || after != "" && (!sep || below == "") {
			continue
		}
		if steps, ok := resolve(t.FieldByIndex(f.Index).Type, below); ok {
			return append([]step{{field: f}}, steps...), true
		}
	}
	return nil, false
}

// apply sets the value that steps lead to from v, and creates list items and maps on the way.
func (r *reader) apply(v reflect.Value, f conf.Field, o override, steps []step, path string) {
	if len(steps) == 0 {
		r.override(path, o.variable)
		if conf.IsSource(v.Type()) {
			r.fault(path, "a secret is never given here", fmt.Sprintf(
				"name where it is kept, with %s_FILE or %[1]s_ENV", o.variable))
		} else if cause, hint := foreignText(v, o.text); cause != "" {
			r.fault(path, cause, hint)
		} else if p := conf.SetText(v, f, o.text); p != nil {
			r.fault(path, p.Cause, p.Hint)
		}
		return
	}
	s := steps[0]
	switch v.Kind() {
	case reflect.Struct:
		r.apply(v.FieldByIndex(s.field.Index), s.field, o, steps[1:], conf.Join(path, s.field.Name))
	case reflect.Slice:
		if s.index > v.Len() {
			r.faultAt(origin{variable: o.variable}, conf.Item(path, s.index),
				fmt.Sprintf("leaves a gap: the list ends before number %d",
					v.Len()), fmt.Sprintf("use %s for the next item", variable(conf.Item(path, v.Len()))))
			return
		}
		if s.index == v.Len() {
			e := reflect.New(v.Type().Elem()).Elem()
			conf.SetDefaults(e)
			v.Set(reflect.Append(v, e))
			r.at[conf.Item(path, s.index)] = origin{variable: o.variable}
		}
		if conf.IsStrings(v.Type()) && o.text == "" && !f.BlankItems {
			r.faultAt(origin{variable: o.variable}, conf.Item(path, s.index), "holds an empty item",
				"unset it, or give "+variable(path)+" the whole list")
			return
		}
		r.apply(v.Index(s.index), f, o, steps[1:], conf.Item(path, s.index))
	case reflect.Map:
		e := reflect.New(v.Type().Elem()).Elem()
		r.apply(e, f, o, nil, conf.Join(path, s.key))
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		v.SetMapIndex(reflect.ValueOf(s.key), e)
	}
}

// foreignText says what is wrong with the text of a variable that other programs would read in another way, or "".
func foreignText(v reflect.Value, text string) (cause, hint string) {
	switch {
	case len(text) > 1 && strings.ContainsRune(`"'`, rune(text[0])) && text[0] == text[len(text)-1]:
		return "is in quotation marks, which are part of the text", "remove them: files of variables, such as those " +
			"of docker --env-file, take none"
	case conf.IsStrings(v.Type()) && (strings.HasPrefix(text, `["`) || strings.HasPrefix(text, "['")):
		return "is a list of JSON", "separate the items by commas, without brackets and quotation marks"
	case text == "" && v.Kind() != reflect.String && !conf.IsStrings(v.Type()):
		return "is set, and empty", "give it a value, or unset it to use that of the file"
	}
	return "", ""
}
