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

// secretsHere puts the files that a documented configuration names below the working directory, and says so to it.
func secretsHere(t *testing.T, src string) string {
	t.Helper()
	for _, dir := range []string{"/run/secrets/", "/etc/sidecar/"} {
		here := filepath.Join(t.TempDir(), "files")
		for _, m := range regexp.MustCompile(regexp.QuoteMeta(dir)+`([\w.-]+)`).FindAllStringSubmatch(src, -1) {
			content := strings.Repeat("s", 64) + "\n"
			if strings.HasSuffix(m[1], ".pem") {
				content = testkit.KeyPEM(t, testkit.NewKey(t))
			}
			testkit.WriteFile(t, filepath.Join(here, m[1]), content)
		}
		src = strings.ReplaceAll(src, dir, here+"/")
	}
	return src
}

// TestEveryConfigurationOfIssuersPassesCheck: what docs/issuers.md shows is what people paste.
func TestEveryConfigurationOfIssuersPassesCheck(t *testing.T) {
	doc, err := os.ReadFile("../../docs/issuers.md")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := templates.ReadFile("template/decision.rego")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	testkit.WriteFile(t, "policies/decision.rego", string(policy))
	shown := map[string]bool{}
	for _, block := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllStringSubmatch(string(doc), -1) {
		src := block[1]
		for _, m := range regexp.MustCompile(`(?m)^ +dialect: (\S+)`).FindAllStringSubmatch(src, -1) {
			shown[m[1]] = true
		}
		testkit.WriteFile(t, "sidecar.yaml", secretsHere(t, src))
		if code, out, errs := sidecar(t, "", "check", "--config", "sidecar.yaml"); code != exitOK {
			t.Errorf("exit %d\n%s%s\n%s", code, out, errs, src)
		}
	}
	for _, name := range (dialect.Config{}).Words("dialect") {
		if !shown[name] {
			t.Errorf("no configuration has dialect %s", name)
		}
	}
}
