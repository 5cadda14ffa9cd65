package bundler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	opa "github.com/open-policy-agent/opa/v1/bundle"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/config"
)

// Building says what a bundle is built from.
type Building struct {
	// Paths are one bundle as folder or archive, whose manifest is kept, or directories without a manifest.
	Paths []string
	// Revision replaces that of the manifest. Without both it is the beginning of the digest of the files.
	Revision string
	// Roots replace those of the manifest. Without both they are the packages and the data of the files.
	Roots []string
	// Tests say whether Rego tests and suites are put in.
	Tests Tests
	// Config is that of serving: its policies are replaced by the bundle and by Beside, its entrypoint may be missing.
	Config *config.Config
	// Beside are directories and bundle folders that the bundle is served with, and that are not put into it.
	Beside []string
}

// Tests say what becomes of tests.
type Tests string

// The words of Tests.
const (
	TestsIn  Tests = "in"
	TestsOut Tests = "out"
)

// Build makes a bundle, once it loads as serving loads it and OPA reads it. Its error is bundle.Problems where files
// are wrong.
func Build(ctx context.Context, b Building) (*archive.Archive, error) {
	files, from, err := b.files()
	if err != nil {
		return nil, err
	}
	a, err := b.built(ctx, files)
	if ps, ok := errors.AsType[bundle.Problems](err); ok {
		return nil, placed(ps, from)
	}
	return a, err
}

// built is the bundle of files, under the name built.
func (b Building) built(ctx context.Context, files []archive.File) (*archive.Archive, error) {
	files, err := b.withManifest(files)
	if err != nil {
		return nil, err
	}
	a, err := archive.New(building, files)
	if err != nil {
		return nil, err
	}
	if err := b.loads(ctx, a); err != nil {
		return nil, err
	}
	return a, readByOPA(a)
}

// building is the name of the bundle while it is built. No path is called so.
const building = "/bundle"

// placed names the files of problems as they are on disk.
func placed(ps bundle.Problems, from map[string]string) bundle.Problems {
	out := slices.Clone(ps)
	for i, p := range out {
		name := strings.TrimPrefix(p.File, building+"/")
		out[i].Message = strings.ReplaceAll(p.Message, building+"/", "")
		switch dir, known := from[name]; {
		case known:
			out[i].File = path.Join(dir, name)
		case name != p.File:
			out[i].File = name
		case p.File == building:
			out[i].File = "bundle"
		}
	}
	return out.Sorted()
}

// files are those of all paths, each where it is below its path, and from which path. Only what policies are made of
// is put in.
func (b Building) files() (all []archive.File, from map[string]string, err error) {
	var ps bundle.Problems
	from = map[string]string{}
	for _, name := range b.Paths {
		a, err := read(name)
		if problems, ok := errors.AsType[bundle.Problems](err); ok {
			ps = append(ps, problems...)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		for _, f := range a.Files {
			switch {
			case f.Kind == bundle.Other, b.Tests == TestsOut && (f.Kind == bundle.Test || f.Kind == bundle.Suite):
				continue
			case f.Kind == bundle.Manifest && len(b.Paths) > 1:
				ps.Add(a.Name, bundle.CodeManifest, "is a bundle of its own: build each bundle from one path, and "+
					"name "+
					"others that it is served with by --with")
				continue
			case from[f.Name] != "":
				ps.Add(a.Name+"/"+f.Name, bundle.CodeConflict, "%s has this file too: a bundle holds one",
					from[f.Name])
				continue
			}
			from[f.Name] = a.Name
			all = append(all, archive.File{Name: f.Name, Raw: f.Raw})
		}
	}
	if len(ps) > 0 {
		return nil, nil, ps.Sorted()
	}
	return all, from, nil
}

// read reads a path that need not be a bundle.
func read(name string) (*archive.Archive, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %q: there is no such file or directory", name)
	}
	if err == nil && info.IsDir() {
		return archive.Folder(filepath.ToSlash(filepath.Clean(name)), name, archive.Limits{})
	}
	return Read(name)
}

// loads loads the bundle as serving does. The configured entrypoint may be in another bundle.
func (b Building) loads(ctx context.Context, a *archive.Archive) error {
	cfg := *b.Config
	cfg.Policies.Paths, cfg.Policies.Bundles, cfg.Policies.Sources = nil, nil, nil
	for _, p := range b.Beside {
		if _, err := os.Stat(filepath.Join(p, bundle.ManifestName)); err == nil {
			cfg.Policies.Bundles = append(cfg.Policies.Bundles, p)
		} else {
			cfg.Policies.Paths = append(cfg.Policies.Paths, p)
		}
	}
	cfg.Policies.Embedded = []bundle.Source{a.WithTests()}
	cfg.Decision.Entrypoint, cfg.Engine.Entrypoints = "", nil
	_, _, err := app.Load(ctx, &cfg)
	return err
}

// readByOPA reads the archive as OPA does, so that no bundle is made that only the sidecar takes.
func readByOPA(a *archive.Archive) error {
	var buf bytes.Buffer
	if err := archive.Write(&buf, a); err != nil {
		return err
	}
	loader := opa.NewTarballLoaderWithBaseURL(&buf, "")
	_, err := opa.NewCustomReader(loader).WithSkipBundleVerification(true).WithProcessAnnotations(true).Read()
	if err != nil {
		return bundle.Problems{{File: a.Name, Code: bundle.CodeArchive,
			Message: "OPA refuses the bundle: " + err.Error()}}
	}
	return nil
}

// manifestOf is the manifest among files, and its place; -1 when there is none.
func manifestOf(files []archive.File) int {
	return slices.IndexFunc(files, func(f archive.File) bool { return f.Name == bundle.ManifestName })
}
