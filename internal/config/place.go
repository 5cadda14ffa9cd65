package config

import (
	"os"
	"path/filepath"
	"reflect"

	"github.com/authz-sidecar/sidecar/internal/conf"
)

// locate makes relative names of files and directories that are read relative to the configuration file, so that it
// can be used from any directory (ADR 0024). A name that exists only in the working directory is left relative to
// that, as it was before; one that exists in both, and is not the same file, is a warning.
//
// Names in variables of the environment, and names of files that are written, are relative to the working directory.
func (r *reader) locate(v reflect.Value, f conf.Field, path string) {
	if dir := filepath.Dir(r.name); sameFile(dir, ".") {
		return
	}
	r.locateIn(v, f, path)
}

// locateIn is locate for a value and all values below it.
func (r *reader) locateIn(v reflect.Value, f conf.Field, path string) {
	switch {
	case conf.IsSource(v.Type()):
		r.locateText(v.FieldByName("File"), path+".file")
	case v.Kind() == reflect.Struct:
		for _, child := range conf.Fields(v.Type()) {
			r.locateIn(v.FieldByIndex(child.Index), child, conf.Join(path, child.Name))
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			r.locateIn(v.Index(i), f, conf.Item(path, i))
		}
	case v.Kind() == reflect.String && f.IsRead:
		r.locateText(v, path)
	}
}

// locateText changes one name. The warning does not show it: a secret is sometimes written where its name belongs.
func (r *reader) locateText(v reflect.Value, path string) {
	name := v.String()
	if name == "" || filepath.IsAbs(name) || r.origin(path).variable != "" {
		return
	}
	beside := filepath.Join(filepath.Dir(r.name), name)
	here, there := exists(name), exists(beside)
	if here && there && !sameFile(name, beside) {
		r.warnings = append(r.warnings, Fault{Key: path, Cause: "exists beside the configuration file and in the " +
			"working directory, and the former is read", Hint: "write the whole path, or remove one of the two"})
	}
	if there || !here {
		v.SetString(beside)
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	y, err2 := os.Stat(b)
	return err == nil && err2 == nil && os.SameFile(x, y)
}
