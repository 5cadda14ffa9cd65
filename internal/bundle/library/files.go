package library

import (
	"io/fs"
	"path"
	"strings"

	"github.com/authz-sidecar/sidecar/bundles"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/policies"
)

// Example returns the policies and the bundle of the example API, as they would be read from the folders policies and
// bundles/example.
func Example() []bundle.Source {
	return []bundle.Source{
		FromFS("policies", bundle.Plain, policies.Example(), ""),
		FromFS("bundles/example", bundle.Bundled, bundles.Example(), ""),
	}
}

// FromFS reads a source from files that are part of the binary. It panics when they cannot be read.
func FromFS(name string, layout bundle.Layout, files fs.FS, revision string) bundle.Source {
	s := bundle.Source{Name: name, Layout: layout, Revision: revision}
	err := fs.WalkDir(files, ".", func(at string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(files, at)
		kind, _, _ := bundle.Classify(d.Name())
		var dirs []string
		if dir := path.Dir(at); dir != "." {
			dirs = strings.Split(dir, "/")
		}
		file := bundle.File{Path: path.Join(name, at), Raw: raw}
		s.Files = append(s.Files, bundle.SourceFile{File: file, Kind: kind, Dirs: dirs})
		return err
	})
	if err != nil {
		panic(err)
	}
	return s
}
