package config

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// checker is a struct with rules that its tags cannot say. Check calls fault for each rule that is broken; key is
// relative to the struct, such as client.secret.file, and empty for the struct as a whole. It reports all, changes
// nothing, and uses no network.
type checker interface {
	Check(fault func(key, cause, hint string))
}

// check reports what is wrong with the meaning of v: what its own Check says, at every level, then that files named
// are there and that no URL carries a password. A Check may find several faults in one key; only a key that was not
// understood is left alone, since its value is still the default.
func (r *reader) check(v reflect.Value, f field, path string, environ []string) {
	switch {
	case isSource(v.Type()):
		r.checkSource(v.Interface().(secret.Source), path, environ)
	case v.Kind() == reflect.Struct:
		if c, ok := v.Addr().Interface().(checker); ok {
			c.Check(func(key, cause, hint string) {
				if !r.unread[join(path, key)] {
					r.fault(join(path, key), cause, hint)
				}
			})
		}
		for _, child := range fieldsOf(v.Type()) {
			r.check(v.FieldByIndex(child.index), child, join(path, child.name), environ)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			r.check(v.Index(i), f, item(path, i), environ)
		}
	case v.Kind() == reflect.String:
		r.checkText(v.String(), f, path)
	}
}

// once reports a fault unless something else is wrong with the same key, which then is the cause of both.
func (r *reader) once(key, cause, hint string) {
	if !r.faulty[key] {
		r.fault(key, cause, hint)
	}
}

func (r *reader) checkText(s string, f field, path string) {
	if strings.HasSuffix(f.name, "_file") && s != "" {
		if err := readable(s); err != nil {
			r.once(path, "read file "+quote(s)+": "+err.Error(), "create it, or correct its name or permissions")
		}
	}
	if u, err := url.Parse(s); err == nil && u.User != nil {
		r.once(path, "the URL holds a user or a password", "remove what stands before the @")
	}
}

// checkSource says nothing of a source that names no secret: whether one is needed is for the package that reads it.
// It shows no name, because a secret is sometimes written where its name belongs.
func (r *reader) checkSource(s secret.Source, path string, environ []string) {
	if s.File != "" && s.Env != "" {
		r.once(path, "names both a file and an environment variable", "remove one of the two")
		return
	}
	if s.File != "" {
		if err := readable(s.File); err != nil {
			r.once(path+".file", "read secret: "+err.Error(), "create the file, or correct its name or permissions")
		}
	}
	if s.Env != "" && !slices.ContainsFunc(environ, func(e string) bool {
		name, value, _ := strings.Cut(e, "=")
		return name == s.Env && value != ""
	}) {
		r.once(path+".env", "read secret: the environment variable that it names is not set, or empty", "set it in the environment of the sidecar; the name is written without $")
	}
}

// readable says why a file cannot be read, without its name. Only a regular file is opened: a pipe would be drained, or
// wait for its writer.
func readable(name string) error {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("no such file")
	case err != nil:
		return cause(err)
	case info.IsDir():
		return errors.New("it is a directory")
	case !info.Mode().IsRegular():
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return cause(err)
	}
	return f.Close()
}
