package change

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/policytest"
)

// across runs the tests of the old version against the new policies. Both are laid out in a temporary directory, the
// policies without their tests: helpers of both versions of a test would contradict each other.
func (x comparison) across(ctx context.Context) (tested, error) {
	top, err := os.MkdirTemp("", "sidecar-review-")
	if err != nil {
		return tested{}, fmt.Errorf("lay out the old tests: %w", err)
	}
	defer func() { _ = os.RemoveAll(top) }()
	laid := layout{top: filepath.ToSlash(top), names: map[string]string{}}
	if err := laid.tests(x.from); err != nil {
		return tested{}, fmt.Errorf("lay out the old tests: %w", err)
	}
	if len(laid.names) == 0 {
		return tested{none: true}, nil
	}
	if err := laid.policies(x.to.Set); err != nil {
		return tested{}, fmt.Errorf("lay out the old tests: %w", err)
	}
	cfg := *x.to.Config
	cfg.Policies = config.Policies{Config: dir.Config{Paths: []string{laid.top + "/policies"}}}
	served, err := dir.Load(cfg.Policies.Config)
	if err != nil {
		return tested{}, fmt.Errorf("lay out the new policies: %w", err)
	}
	out, err := x.to.run(ctx, policytest.Source{Config: &cfg, Dirs: []string{laid.top + "/tests"}}, served,
		policytest.Options{})
	laid.rename(&out)
	return out, err
}

// layout is a temporary directory with copies.
type layout struct {
	top string
	// names are the files that were copied, by their copies.
	names map[string]string
}

func (l *layout) write(copied, name string, raw []byte) error {
	copied = l.top + "/" + copied
	l.names[copied] = name
	if err := os.MkdirAll(filepath.Dir(copied), 0o700); err != nil {
		return err
	}
	return os.WriteFile(copied, raw, 0o600)
}

// policies lays out modules and data, without the library, which is added anew.
func (l *layout) policies(set *bundle.Set) error {
	own := *set
	own.Bundles = nil
	for i, b := range set.Bundles {
		if b.Embedded {
			continue
		}
		own.Bundles = append(own.Bundles, b)
		for _, f := range b.Modules {
			below := strings.TrimPrefix(f.Path, b.Name+"/")
			if err := l.write("policies/"+strconv.Itoa(i)+"/"+below, f.Path, f.Raw); err != nil {
				return err
			}
		}
	}
	raw, err := json.Marshal(own.Document())
	if err != nil {
		return err
	}
	return l.write("policies/data.json", "data.json", raw)
}

// tests lays out the tests beside the policies of a side, and its directories of tests as they are.
func (l *layout) tests(s Side) error {
	for i, d := range append(append([]string{}, s.Config.Policies.Paths...), s.Config.Policies.Bundles...) {
		if err := l.copied(d, fmt.Sprintf("tests/beside-%d", i), policytest.IsTestFile); err != nil {
			return err
		}
	}
	for i, d := range s.TestDirs {
		if err := l.copied(d, fmt.Sprintf("tests/%d", i), func(string) bool { return true }); err != nil {
			return err
		}
	}
	return nil
}

// copied copies the files below a directory that are taken and that a load reads.
func (l *layout) copied(from, to string, takes func(name string) bool) error {
	switch info, err := os.Stat(from); {
	case err != nil:
		return nil
	case !info.IsDir():
		return l.unpacked(from, to, takes)
	}
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		kind, _, _ := bundle.Classify(d.Name())
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != from && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir() || kind == bundle.Other || kind == bundle.Manifest || !takes(d.Name()):
			return nil
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		below := strings.TrimPrefix(filepath.ToSlash(name), filepath.ToSlash(filepath.Clean(from)))
		return l.write(to+below, filepath.ToSlash(name), raw)
	})
}

// unpacked does the same with an archive.
func (l *layout) unpacked(from, to string, takes func(name string) bool) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	packed, err := archive.Read(filepath.ToSlash(from), f, archive.Limits{})
	if err != nil {
		return err
	}
	for _, file := range packed.WithSuites().Files {
		if takes(path.Base(file.Path)) {
			below := strings.TrimPrefix(file.Path, packed.Name+"/")
			if err := l.write(to+"/"+below, file.Path, file.Raw); err != nil {
				return err
			}
		}
	}
	return nil
}

// rename gives the results the names of the files that were copied.
func (l *layout) rename(t *tested) {
	for i := range t.report.Results {
		r := &t.report.Results[i]
		for j, line := range r.Output {
			r.Output[j] = l.renamed(line)
		}
		r.File = l.renamed(r.File)
	}
	for i := range t.problems {
		t.problems[i].File = l.renamed(t.problems[i].File)
		t.problems[i].Message = l.renamed(t.problems[i].Message)
	}
}

func (l *layout) renamed(text string) string {
	if !strings.Contains(text, l.top) {
		return text
	}
	for copied, name := range l.names {
		text = strings.ReplaceAll(text, copied, name)
	}
	return strings.ReplaceAll(text, l.top+"/", "")
}
