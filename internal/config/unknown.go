package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/suggest"
)

// unknown reports variables that name no key and hold no secret of v.
func (r *reader) unknown(v reflect.Value, names []string) {
	kept := map[string]bool{}
	eachSource(v, "", func(_ string, s secret.Source) { kept[s.Env] = true })
	known := append(variables(v, ""), FileVariable)
	for _, name := range names {
		if !kept[name] {
			shown := name
			if !plainKey(name) {
				shown = conf.Quote(name) // a name may hold a line break
			}
			r.faultAt(origin{variable: shown}, "", "names no key of the configuration",
				hintForVariable(name, known, v.Type()))
		}
	}
}

func hintForVariable(name string, known []string, t reflect.Type) string {
	if remedy := remedyFor(name, t, ""); remedy != "" {
		return remedy
	}
	if after, ok := strings.CutPrefix(name+"_", prefix); ok &&
		(strings.HasPrefix(after, "SERVICE_") || strings.HasPrefix(after, "PORT_")) {
		return "Kubernetes sets it for a Service named sidecar: set enableServiceLinks to false on the pod, or " +
			"rename the Service"
	}
	if section := strings.TrimSuffix(strings.TrimSuffix(name, "_PORT"), "_HOST"); section != name &&
		slices.Contains(known, section+"_ADDRESS") {
		return "write host and port into " + section + "_ADDRESS"
	}
	if s := suggest.Closest(name, known); s != "" {
		return fmt.Sprintf("did you mean %s?", s)
	}
	for _, k := range known {
		if strings.HasPrefix(k, name+"_") {
			return fmt.Sprintf("it names a section; set one of its keys, such as %s", k)
		}
	}
	for _, k := range known {
		if strings.Contains(k+"_", "_"+strings.TrimPrefix(name, prefix)+"_") {
			return fmt.Sprintf("did you mean %s?", k)
		}
	}
	return `a variable is the path of a key in upper case, joined by underscores; "sidecar config schema" lists every key`
}

// listItem is where the name of a variable goes on below a list.
var listItem = regexp.MustCompile(`_[0-9]+(_|$)`)

// remedyFor says what replaces the variable of a key that was removed from t, or "".
func remedyFor(name string, t reflect.Type, path string) string {
	rest, below := strings.CutPrefix(name, variable(path))
	if former, ok := reflect.Zero(t).Interface().(conf.Remover); ok && below {
		key := listItem.Split(strings.ToLower(strings.TrimPrefix(rest, "_")), 2)[0]
		if remedy := former.Removed(key); remedy != "" {
			return remedy
		}
	}
	for _, f := range conf.Fields(t) {
		if ft := t.FieldByIndex(f.Index).Type; ft.Kind() == reflect.Struct {
			if remedy := remedyFor(name, ft, conf.Join(path, f.Name)); remedy != "" {
				return remedy
			}
		}
	}
	return ""
}

// variables returns the names of all variables that override a key of v. A list of sections counts as having an item.
func variables(v reflect.Value, path string) []string {
	var out []string
	for _, f := range conf.Fields(v.Type()) {
		child, at := v.FieldByIndex(f.Index), conf.Join(path, f.Name)
		switch {
		case child.Kind() == reflect.Struct:
			out = append(out, variables(child, at)...)
		case child.Kind() == reflect.Slice && !conf.IsStrings(child.Type()):
			for i := range max(child.Len(), 1) {
				out = append(out, variables(reflect.New(child.Type().Elem()).Elem(), conf.Item(at, i))...)
			}
		case child.Kind() != reflect.Map:
			out = append(out, variable(at))
		}
	}
	return out
}

// eachSource calls do with every secret.Source in v and its key.
func eachSource(v reflect.Value, path string, do func(key string, s secret.Source)) {
	switch {
	case conf.IsSource(v.Type()):
		do(path, v.Interface().(secret.Source))
	case v.Kind() == reflect.Struct:
		for _, f := range conf.Fields(v.Type()) {
			eachSource(v.FieldByIndex(f.Index), conf.Join(path, f.Name), do)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			eachSource(v.Index(i), conf.Item(path, i), do)
		}
	}
}
