package dir

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

func TestLoad_ReadsModulesAndData(t *testing.T) {
	inside(t, map[string]string{
		"policies/authz.rego":            rego,
		"policies/routes/routes.rego":    "package routes\n",
		"policies/routes/data.yaml":      "table: [{path: /orders, limit: 3}]\n",
		"policies/data.json":             `{"tenants": {"acme": 1.50}}`,
		"policies/README.md":             "read me",
		"policies/authz_test.rego":       "package authz_test\n",
		"policies/orders_suite.yaml":     "a: [",
		"policies/routes.rego~":          "backup",
		"policies/.git/hidden.rego":      "x",
		"policies/.routes.rego.swp":      "x",
		"policies/..2026/shadowed.rego":  "x",
		"policies/.data.json":            "{",
		"policies/routes/.hidden/d.json": "{",
	})
	set := loaded(t, onlyPolicies)
	b := set.Bundles[0]
	if b.Name != "policies" || b.Roots != nil || b.RegoVersion != 1 || b.Revision != "" {
		t.Errorf("bundle: %+v", b)
	}
	if got := paths(b.Modules); got != "policies/authz.rego policies/routes/routes.rego" {
		t.Errorf("modules: %s", got)
	}
	if string(b.Modules[0].Raw) != rego {
		t.Errorf("raw: %q", b.Modules[0].Raw)
	}
	if len(b.Tests) != 0 {
		t.Errorf("tests: %s", paths(b.Tests))
	}
	for i, want := range []bundle.DataFile{
		bundle.NewDataFile("policies/data.json", nil, map[string]any{"tenants": map[string]any{
			"acme": json.Number("1.50")}}),
		bundle.NewDataFile("policies/routes/data.yaml", []string{"routes"}, map[string]any{
			"table": []any{map[string]any{"path": "/orders", "limit": json.Number("3")}}}),
	} {
		got := b.Data[i]
		if got.Path != want.Path || !slices.Equal(got.At, want.At) || !reflect.DeepEqual(got.Value(), want.Value()) {
			t.Errorf("data: %+v: %#v", got, got.Value())
		}
	}
}

func TestLoadWithTests_AddsTheTests(t *testing.T) {
	inside(t, map[string]string{
		"policies/authz.rego":         rego,
		"policy_test/authz_test.rego": "package authz_test\n",
		"suites/orders_suite.yaml":    "x: 1",
	})
	set, err := LoadWithTests(Config{Paths: []string{"policies", "policy_test", "suites"}})
	must(t, err)
	if got := paths(set.Bundles[1].Tests); got != "policy_test/authz_test.rego" {
		t.Errorf("tests: %s", got)
	}
}

func TestLoad_NamesFilesBelowTheConfiguredDirectory(t *testing.T) {
	inside(t, map[string]string{"policies/a/x.rego": rego})
	if got := paths(loaded(t, Config{Paths: []string{"./policies/"}}).Bundles[0].Modules); got != "policies/a/x.rego" {
		t.Errorf("relative: %s", got)
	}
	abs, err := filepath.Abs("policies")
	must(t, err)
	if got := paths(loaded(t, Config{Paths: []string{abs}}).Bundles[0].Modules); got != abs+"/a/x.rego" {
		t.Errorf("absolute: %s", got)
	}
}

func TestLoad_MissingDirectoryIsAProblem(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": rego, "file": ""})
	refused(t, Config{Paths: []string{"policies", "gone", "file"}},
		"file: directory_error: is not a directory: name the folder that it is in, .",
		"gone: directory_error: the directory does not exist")
}

func TestLoad_UnreachableDirectoryIsAProblem(t *testing.T) {
	inside(t, nil)
	must(t, os.Symlink("b", "a"))
	must(t, os.Symlink("a", "b"))
	refused(t, Config{Paths: []string{"a"}}, "a: directory_error: too many levels of symbolic links")
}

func TestLoad_EmptyDirectoryIsAProblem(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": rego, "empty/README.md": "", "tests/a_test.rego": "package t\n"})
	refused(t, Config{Paths: []string{"policies", "empty", "tests"}},
		"empty: directory_error: the directory holds no *.rego and no data.json or data.yaml",
		"tests: directory_error: the directory holds no *.rego and no data.json or data.yaml")
}

func TestLoad_NothingConfiguredIsAProblem(t *testing.T) {
	refused(t, Config{}, ".: directory_error: no policy directory is configured")
}

func TestLoad_DataWithoutAnyRegoIsAProblem(t *testing.T) {
	inside(t, map[string]string{"policies/data.json": "{}"})
	refused(t, onlyPolicies, "policies: directory_error: there is no *.rego in any configured directory")
}

func TestLoad_SameDirectoryTwiceIsAProblem(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": rego, "policies/sub/b.rego": rego})
	must(t, os.Symlink("policies", "alias"))
	refused(t, Config{Paths: []string{"policies", "alias", "policies/sub"}},
		"alias: directory_error: the directory is configured twice, also as policies",
		"policies/sub: directory_error: the directory is inside alias, which is configured too",
		"policies/sub: directory_error: the directory is inside policies, which is configured too")
}

func TestLoad_NamesThatAreNotTextAreProblems(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": rego, "policies/\xff.rego": rego, "policies/\xfe/data.json": "{}"})
	refused(t, onlyPolicies,
		"policies/\uFFFD: name_error: the name is not UTF-8",
		"policies/\uFFFD.rego: name_error: the name is not UTF-8")
}

func TestLoad_UnreadableFileIsAProblem(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": rego, "policies/closed.rego": rego})
	want := "permission denied"
	if os.Geteuid() == 0 { // whom no mode keeps out, but this file cannot be read by anybody
		must(t, os.Remove("policies/closed.rego"))
		must(t, os.Symlink("/proc/self/mem", "policies/closed.rego"))
		want = "input/output error"
	} else {
		must(t, os.Chmod("policies/closed.rego", 0))
	}
	refused(t, onlyPolicies, "policies/closed.rego: read_error: "+want)
}

func TestLoad_PipeIsAProblemAndDoesNotBlock(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": rego})
	must(t, syscall.Mkfifo("policies/pipe.rego", 0o644))
	must(t, syscall.Mkfifo("policies/pipe.txt", 0o644))
	refused(t, onlyPolicies, "policies/pipe.rego: read_error: is not a regular file")
}

func TestLoad_PipeThatTookThePlaceOfAFileDoesNotBlock(t *testing.T) {
	inside(t, map[string]string{"a.rego": rego})
	info, err := os.Stat("a.rego")
	must(t, err)
	must(t, os.Remove("a.rego"))
	must(t, syscall.Mkfifo("a.rego", 0o644))
	if _, _, err := readFile(entry{file: "a.rego", info: info}, 100); !errors.Is(err, errChanged) {
		t.Errorf("error is %v", err)
	}
}

func TestLoad_DanglingLinkIsAProblem(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": rego})
	must(t, os.Symlink("nowhere", "policies/b.rego"))
	must(t, os.Symlink("nowhere", "policies/.#lock"))
	refused(t, onlyPolicies, "policies/b.rego: read_error: the link leads nowhere")
}

func TestLoad_LinksThatNeverEndAreProblems(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": rego, "policies/sub/b.rego": rego})
	must(t, os.Symlink("..", "policies/sub/up"))
	must(t, os.Symlink("self", "policies/self"))
	refused(t, onlyPolicies,
		"policies/self: read_error: too many levels of symbolic links",
		"policies/sub/up: read_error: the link leads back to a directory above it")
}

func TestLoad_FollowsLinksToFilesAndDirectories(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": rego, "else/b.rego": rego, "else/dir/data.json": `{"x": 1}`})
	must(t, os.Symlink("../else/b.rego", "policies/b.rego"))
	must(t, os.Symlink("../else/dir", "policies/facts"))
	set := loaded(t, onlyPolicies)
	if got := paths(set.Bundles[0].Modules); got != "policies/a.rego policies/b.rego" {
		t.Errorf("modules: %s", got)
	}
	want := map[string]any{"facts": map[string]any{"x": json.Number("1")}}
	if !reflect.DeepEqual(set.Document(), want) {
		t.Errorf("document: %v", set.Document())
	}
}

func TestLoad_ConfigMapLoadsEachFileOnce(t *testing.T) {
	inside(t, map[string]string{"policies/..2026_1/a.rego": rego, "policies/..2026_1/data.yaml": "x: 1"})
	must(t, os.Symlink("..2026_1", "policies/..data"))
	must(t, os.Symlink("..data/a.rego", "policies/a.rego"))
	must(t, os.Symlink("..data/data.yaml", "policies/data.yaml"))
	b := loaded(t, onlyPolicies).Bundles[0]
	if len(b.Modules) != 1 || b.Modules[0].Path != "policies/a.rego" || len(b.Data) != 1 {
		t.Errorf("loaded %s and %d data files", paths(b.Modules), len(b.Data))
	}
}

func TestLoad_BoundsWhatItReads(t *testing.T) {
	inside(t, map[string]string{
		"policies/a.rego":         rego,
		"policies/1/2/3/b.rego":   rego,
		"policies/long/long.rego": strings.Repeat("#", 101),
	})
	for name, c := range map[string]struct {
		lim  limits
		want string
	}{
		"one file": {limits{file: 100, total: 1000, depth: 9, entries: 99},
			"policies/long/long.rego: limit_error: the file holds more than 100 bytes"},
		"all files": {limits{file: 200, total: 150, depth: 9, entries: 99},
			"policies: limit_error: all files together hold 159 bytes, more than 150"},
		"depth": {limits{file: 200, total: 1000, depth: 2, entries: 99},
			"policies/1/2/3: limit_error: the directory is more than 2 levels deep"},
		"names": {limits{file: 200, total: 1000, depth: 9, entries: 5},
			"policies: limit_error: there are more than 5 files and directories"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := load(onlyPolicies, policies, c.lim); err == nil || err.Error() != c.want {
				t.Errorf("error is %v, want %s", err, c.want)
			}
		})
	}
}

func TestLoad_DigestIsOfNamesAndContents(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": rego, "policies/b/data.json": `{"x": 1}`})
	digest := func() string { return loaded(t, onlyPolicies).Digest }
	first := digest()
	if !strings.HasPrefix(first, "sha256:") || len(first) != 71 {
		t.Errorf("digest: %q", first)
	}
	write(t, map[string]string{"policies/README": "x", "policies/a_test.rego": "package x"})
	if digest() != first {
		t.Error("a file that is not loaded changes the digest")
	}
	write(t, map[string]string{"policies/b/data.json": `{"x": 2}`})
	second := digest()
	must(t, os.Rename("policies/b", "policies/c"))
	if third := digest(); first == second || second == third || first == third {
		t.Errorf("digests: %s %s %s", first, second, third)
	}
}

func TestLoad_ManifestIsNeededAtTheTopOfABundleOnly(t *testing.T) {
	inside(t, map[string]string{
		"policies/a.rego":           rego,
		"policies/.manifest":        "{}",
		"bundles/a/a.rego":          rego,
		"bundles/b/b.rego":          rego,
		"bundles/b/.manifest":       `{"roots": ["b"]}`,
		"bundles/b/below/.manifest": "{}",
	})
	refused(t, Config{Paths: []string{"policies"}, Bundles: []string{"bundles/b"}},
		"bundles/b/below/.manifest: manifest_error: only the manifest at the top of a bundle is read",
		"policies/.manifest: manifest_error: this directory is a bundle: name it under bundles, not under paths")
	refused(t, Config{Bundles: []string{"bundles/a"}}, "bundles/a: manifest_error: the bundle has no .manifest")
}

func TestLoad_ManifestAloneIsAnEmptyBundle(t *testing.T) {
	inside(t, map[string]string{"a/.manifest": "{}"})
	refused(t, Config{Bundles: []string{"a"}},
		"a: directory_error: the directory holds no *.rego and no data.json or data.yaml")
}

func TestLoad_ReportsAllProblemsInOrder(t *testing.T) {
	inside(t, map[string]string{
		"policies/z/data.json": "{",
		"policies/date.yaml":   "",
		"policies/a/data.yaml": "x: [",
		"bundles/x/.manifest":  `{"roots": 1}`,
	})
	_, err := Load(Config{Paths: []string{"policies", "gone"}, Bundles: []string{"bundles/x"}})
	var files []string
	for line := range strings.Lines(err.Error()) {
		file, _, _ := strings.Cut(line, ":")
		files = append(files, file)
	}
	const want = "bundles/x bundles/x/.manifest gone policies/a/data.yaml policies/date.yaml policies/z/data.json"
	if got := strings.Join(files, " "); got != want {
		t.Errorf("files: %s\n%s", got, err)
	}
}
