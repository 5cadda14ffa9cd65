package dir

import (
	"errors"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const rego = "package authz\n\nallow := true\n"

// write makes files, and the directories they are in, below the working directory.
func write(t *testing.T, files map[string]string) {
	t.Helper()
	testkit.WriteFiles(t, "", files)
}

// inside makes files in a new directory and goes there.
func inside(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	write(t, files)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func loaded(t *testing.T, cfg Config) *bundle.Set {
	t.Helper()
	set, err := Load(cfg)
	must(t, err)
	return set
}

var onlyPolicies = Config{Paths: []string{"policies"}}

// refused loads what must not load, and compares all complaints.
func refused(t *testing.T, cfg Config, want ...string) {
	t.Helper()
	set, err := Load(cfg)
	if set != nil {
		t.Error("a set was returned")
	}
	ps, ok := errors.AsType[bundle.Problems](err)
	if !ok {
		t.Fatalf("error is %T (%v), want Problems", err, err)
	}
	if got := ps.Error(); got != strings.Join(want, "\n") {
		t.Errorf("problems:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

func paths(files []bundle.File) string {
	var out []string
	for _, f := range files {
		out = append(out, f.Path)
	}
	return strings.Join(out, " ")
}
