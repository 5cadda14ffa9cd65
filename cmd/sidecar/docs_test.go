package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

var (
	elsewhere = regexp.MustCompile(`/(run|etc|srv|var)(/[\w.-]+)+`)
	besides   = regexp.MustCompile(`\bfile: ([\w-]+)`)
)

// filesHere puts the files that a documented configuration names into a directory, and says so to it.
func filesHere(t *testing.T, dir, src string) string {
	t.Helper()
	pair, secret := testkit.SelfSigned(t), strings.Repeat("s", 64)+"\n"
	for _, m := range besides.FindAllStringSubmatch(src, -1) {
		testkit.WriteFile(t, filepath.Join(dir, m[1]), secret)
	}
	if strings.Contains(src, "bundles/example") {
		testkit.WriteFile(t, filepath.Join(dir, "bundles/example/.manifest"), `{"roots": ["example"]}`)
		testkit.WriteFile(t, filepath.Join(dir, "bundles/example/example/data.json"), "{}")
	}
	return elsewhere.ReplaceAllStringFunc(src, func(name string) string {
		here := filepath.Join(dir, "root", name)
		switch {
		case strings.HasPrefix(name, "/srv/"):
			testkit.WriteFile(t, filepath.Join(here, "shared", "data.json"), "{}")
		case strings.HasSuffix(name, ".sock"):
			if err := os.MkdirAll(filepath.Dir(here), 0o755); err != nil {
				t.Fatal(err)
			}
		case strings.HasSuffix(name, ".crt"):
			testkit.WriteFile(t, here, pair.PEM())
		case strings.HasSuffix(name, ".key"), strings.HasSuffix(name, ".pem"):
			testkit.WriteFile(t, here, pair.KeyPEM(t))
		default:
			testkit.WriteFile(t, here, secret)
		}
		return here
	})
}

// TestEveryDialectHasAConfigurationInIssuers: TestDocs checks these configurations.
func TestEveryDialectHasAConfigurationInIssuers(t *testing.T) {
	shown := map[string]bool{}
	for _, b := range blocksOf("docs/issuers.md", testkit.ReadFile(t, "../../docs/issuers.md")) {
		for _, m := range regexp.MustCompile(`(?m)^ +dialect: (\S+)`).FindAllStringSubmatch(b.text, -1) {
			shown[m[1]] = true
		}
	}
	for _, name := range (dialect.Config{}).Words("dialect") {
		if !shown[name] {
			t.Errorf("no configuration has dialect %s", name)
		}
	}
}
