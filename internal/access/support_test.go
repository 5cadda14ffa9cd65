package access_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/access"
	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// now is the time of all reports.
var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// shipped is the policies of the repository, with the bundle or without it.
func shipped(bundles ...string) *config.Config {
	cfg := config.Default()
	cfg.Policies.Paths, cfg.Policies.Bundles = []string{"policies"}, bundles
	return cfg
}

// written is policies that are written to a folder of the test, by the names of the files.
func written(t *testing.T, files map[string]string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	testkit.WriteFiles(t, dir, files)
	cfg := config.Default()
	cfg.Policies.Paths = []string{dir}
	return cfg
}

// analyst loads the policies of cfg as serving does.
func analyst(t *testing.T, cfg *config.Config) *access.Analyst {
	t.Helper()
	set, policy, err := app.Load(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	a, err := access.New(cfg, set, policy, now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// requires asks about "METHOD URL".
func requires(t *testing.T, a *access.Analyst, request string) access.Report {
	t.Helper()
	method, url, _ := strings.Cut(request, " ")
	r, err := a.Requires(t.Context(), access.Query{Request: authz.Request{Method: method, URL: url}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// text is a report for people, without the paths of the folder dir.
func text(t *testing.T, r access.Report, dir string) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	if dir == "" {
		return b.String()
	}
	return strings.ReplaceAll(b.String(), filepath.ToSlash(dir)+"/", "")
}
