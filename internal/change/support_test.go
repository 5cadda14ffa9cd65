package change

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// edit replaces a text in a file of the shipped policies; an empty old text appends.
type edit struct{ file, old, new string }

// shipped are the policies of the repository with their bundle and tests, by path.
func shipped(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	top := filepath.Join("..", "..")
	for _, dir := range []string{"policies", "bundles/example", "policy_test"} {
		err := fs.WalkDir(os.DirFS(top), dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(name, ".go") {
				return err
			}
			raw, err := os.ReadFile(filepath.Join(top, name))
			out[name] = string(raw)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// edited is a copy of files with edits.
func edited(t *testing.T, files map[string]string, edits ...edit) map[string]string {
	t.Helper()
	out := maps.Clone(files)
	for _, e := range edits {
		switch before, known := out[e.file]; {
		case e.old == "":
			out[e.file] = before + e.new
		case !known || !strings.Contains(before, e.old):
			t.Fatalf("%s does not hold %q", e.file, e.old)
		default:
			out[e.file] = strings.Replace(before, e.old, e.new, 1)
		}
	}
	return out
}

// changed compares two versions of files: folders with a manifest are bundles, and policy_test holds tests.
func changed(t *testing.T, before, after map[string]string, opts Options, allowed ...string) *Change {
	t.Helper()
	from, to := side(t, "old", before, allowed), side(t, "new", after, allowed)
	c, err := Of(context.Background(), from, to, opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func side(t *testing.T, name string, files map[string]string, allowed []string) Side {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	testkit.WriteFiles(t, dir, files)
	cfg := config.Default()
	cfg.Engine.AllowBuiltins = allowed
	cfg.Policies.Paths, cfg.Policies.Bundles = []string{dir + "/policies"}, nil
	for file := range files {
		if at, ok := strings.CutSuffix(file, "/.manifest"); ok {
			cfg.Policies.Bundles = append(cfg.Policies.Bundles, dir+"/"+at)
		}
	}
	s := Side{Name: name, Config: cfg, Hidden: dir + "/", Shown: name + "/"}
	if _, ok := files["policy_test/orders_suite.yaml"]; ok {
		s.TestDirs = []string{dir + "/policy_test"}
	}
	if err := s.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s.Policy == nil && name == "old" {
		t.Fatal(s.Problems)
	}
	return s
}

// titles are those of the findings of some kinds; of all without one.
func (c *Change) titles(kinds ...Kind) (out []string) {
	for _, f := range c.Findings {
		if len(kinds) == 0 || slices.Contains(kinds, f.Kind) {
			out = append(out, f.Title)
		}
	}
	return out
}
