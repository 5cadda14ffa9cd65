package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// beside writes a configuration into a directory of its own, and returns its name from the working directory.
func beside(t *testing.T, names ...string) string {
	t.Helper()
	t.Chdir(t.TempDir())
	mkdir(t, "etc")
	for _, n := range names {
		if strings.HasSuffix(n, "/") {
			mkdir(t, n)
		} else {
			testkit.WriteFile(t, n, "hunter2\n")
		}
	}
	testkit.WriteFile(t, "etc/sidecar.yaml", "issuers:\n  - issuer: https://login.acme.example\n    client: {id: a, "+
		"secret: {file: kept/secret}}\npolicies: {paths: [rules]}\n")
	return "etc/sidecar.yaml"
}

func placed(t *testing.T, file string, environ ...string) *Config {
	t.Helper()
	c, err := Load(file, environ)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func warned(c *Config) (out []string) {
	c.Warn(func(key, cause, hint string) { out = append(out, key+" "+cause+": "+hint) })
	return out
}

func TestFileNamesAreRelativeToTheConfigurationFile(t *testing.T) {
	file := beside(t, "etc/rules/", "etc/kept/", "etc/kept/secret")
	for _, name := range []string{file, "./" + file} {
		c := placed(t, name)
		if c.Policies.Paths[0] != "etc/rules" || c.Issuers[0].Endpoint.Client.Secret.File != "etc/kept/secret" ||
			len(warned(c)) > 0 {
			t.Errorf("%s: %q %q %q", name, c.Policies.Paths, c.Issuers[0].Endpoint.Client.Secret.File, warned(c))
		}
	}
	whole, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if c := placed(t, whole); c.Policies.Paths[0] != filepath.Join(filepath.Dir(whole), "rules") {
		t.Errorf("from elsewhere: %q", c.Policies.Paths)
	}
}

func TestAFileOnlyInTheWorkingDirectoryIsReadFromThere(t *testing.T) {
	c := placed(t, beside(t, "rules/", "kept/", "kept/secret"))
	if c.Policies.Paths[0] != "rules" || c.Issuers[0].Endpoint.Client.Secret.File != "kept/secret" ||
		len(warned(c)) > 0 {
		t.Errorf("%q %q %q", c.Policies.Paths, c.Issuers[0].Endpoint.Client.Secret.File, warned(c))
	}
}

func TestAFileInBothDirectoriesIsAWarning(t *testing.T) {
	c := placed(t, beside(t, "rules/", "etc/rules/", "kept/", "kept/secret", "etc/kept/", "etc/kept/secret"))
	if c.Policies.Paths[0] != "etc/rules" || len(warned(c)) != 2 ||
		!strings.HasPrefix(warned(c)[0], "issuers[0].client.secret.file exists beside the configuration file and") {
		t.Errorf("%q %q", c.Policies.Paths, warned(c))
	}
	if err := os.RemoveAll("rules"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("etc/rules", "rules"); err != nil {
		t.Fatal(err)
	}
	if c := placed(t, "etc/sidecar.yaml"); len(warned(c)) != 1 {
		t.Errorf("one thing by two names: %q", warned(c))
	}
}

func TestAMissingFileIsExpectedBesideTheConfigurationFile(t *testing.T) {
	_, err := Load(beside(t, "etc/kept/", "etc/kept/secret"), nil)
	if err == nil || !strings.Contains(err.Error(), `directory "etc/rules" does not exist`) {
		t.Errorf("%v", err)
	}
}

func TestFileNamesInTheEnvironmentAreRelativeToTheWorkingDirectory(t *testing.T) {
	c := placed(t, beside(t, "etc/rules/", "etc/kept/", "etc/kept/secret", "etc/other", "other"),
		"SIDECAR_ISSUERS_0_CLIENT_SECRET_FILE=other")
	if got := c.Issuers[0].Endpoint.Client.Secret.File; got != "other" {
		t.Errorf("%q", got)
	}
}

func TestAnEmptyFileThatTheEnvironmentCompletesIsNoFault(t *testing.T) {
	inDirectory(t)
	testkit.WriteFile(t, "sidecar.yaml", "# nothing\n")
	placed(t, "sidecar.yaml", "SIDECAR_ISSUERS_0_ISSUER=https://login.acme.example", "SIDECAR_ISSUERS_0_CLIENT_ID=a",
		"SIDECAR_ISSUERS_0_CLIENT_SECRET_FILE=client-secret")
}
