package config

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// meaning reports a fault that conf.Check found, unless the key already had a fault when it was decoded, or could not
// be decoded at all: its value is then the default.
func (r *reader) meaning(key, cause, hint string) {
	if r.unread[key] {
		return
	}
	for section := key; ; section = above(section) {
		if r.shapeless[section] {
			return
		}
		if section == "" {
			break
		}
	}
	r.fault(key, cause, hint)
}

// checkFiles reports, at every level of v, files that are named and cannot be read, and URLs that carry a password.
func (r *reader) checkFiles(v reflect.Value, f conf.Field, path string, environ []string) {
	switch {
	case conf.IsSource(v.Type()):
		r.checkSource(v.Interface().(secret.Source), path, environ)
	case v.Kind() == reflect.Struct:
		for _, child := range conf.Fields(v.Type()) {
			r.checkFiles(v.FieldByIndex(child.Index), child, conf.Join(path, child.Name), environ)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			r.checkFiles(v.Index(i), f, conf.Item(path, i), environ)
		}
	case v.Kind() == reflect.String:
		r.checkText(v.String(), f, path)
	}
}

// once reports a fault unless the key has one already, which then is the cause of both.
func (r *reader) once(key, cause, hint string) {
	if !r.faulty[key] {
		r.fault(key, cause, hint)
	}
}

func (r *reader) checkText(s string, f conf.Field, path string) {
	if strings.HasSuffix(f.Name, "_file") && s != "" {
		if err := readable(s); err != nil {
			r.once(path, "read file "+conf.Quote(s)+": "+err.Error(), "create it, or correct its name or permissions")
		}
	}
	if u, err := url.Parse(s); err == nil && u.User != nil {
		r.once(path, "the URL holds a user or a password", "remove what stands before the @")
	}
}

// checkSource reports a source that cannot be read. Whether a secret is required is checked by the package that uses
// it.
func (r *reader) checkSource(s secret.Source, path string, environ []string) {
	if s.File != "" && s.Env != "" {
		return // a fault already
	}
	if s.File != "" {
		if err := readable(s.File); err != nil {
			r.once(path+".file", "read secret"+r.shownName(s.File)+": "+err.Error(),
				"create the file, or correct its name or permissions")
		}
	}
	if s.Env != "" && !slices.ContainsFunc(environ, func(e string) bool {
		name, value, _ := strings.Cut(e, "=")
		return name == s.Env && value != ""
	}) {
		r.once(path+".env", "read secret: the environment variable that it names is not set, or empty",
			"set it in the environment of the sidecar; the name is written without $")
	}
}

// readable is the reason why a file cannot be read, without its name. Only regular files are opened: opening a pipe
// would wait for its writer, or take what it wrote.
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
	defer func() { _ = f.Close() }()
	const enough = 1 << 10
	begin, err := io.ReadAll(io.LimitReader(f, enough))
	if err == nil && len(bytes.TrimSpace(begin)) == 0 && len(begin) < enough {
		err = errors.New("it is empty")
	}
	return cause(err)
}

// plainPath matches names that no generator of secrets makes: lower case, with a directory.
var plainPath = regexp.MustCompile(`^[a-z0-9._-]*(/[a-z0-9._-]+)+$`)

// shownName is the name of a file for a message, after a blank. A secret is sometimes written where its name belongs:
// what does not look like a path is not shown, only where it was looked for.
func (r *reader) shownName(name string) string {
	dir := filepath.Dir(r.name)
	written, beside := strings.CutPrefix(name, dir+string(filepath.Separator))
	switch {
	case plainPath.MatchString(written):
		return " " + conf.Quote(name)
	case beside:
		return " in " + conf.Quote(dir)
	}
	return ""
}
