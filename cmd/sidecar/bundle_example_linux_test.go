package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestTheExampleBundleIsReleasedAsItsReadmeSays runs the commands of bundles/README.md, serves the signed archive, and
// changes it.
func TestTheExampleBundleIsReleasedAsItsReadmeSays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, folder := range []string{"bundles", "policies", "policy_test"} {
		if err := os.CopyFS(filepath.Join(dir, folder), os.DirFS(filepath.Join("../..", folder))); err != nil {
			t.Fatal(err)
		}
	}
	readme, err := os.ReadFile("../../bundles/README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(readme), "```sh\n")
	script, _, _ := strings.Cut(blocks[1], "```")
	serve, _, _ := strings.Cut(blocks[2], "\n")
	cmd := exec.Command("sh", "-eu", "-c", script)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	for _, want := range []string{"signed by development-only (ES256)", "roots        example", "no problems found"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Fatalf("error %v, want %q:\n%s", err, want, out)
		}
	}
	config := filepath.Join(dir, "bundles", "signed.yaml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	testkit.WriteFile(t, config, strings.NewReplacer(":8181", ":0", ":8282", ":0").Replace(string(text)))
	_, args, _ := strings.Cut(serve, "sidecar ")
	p := launch(t, dir, strings.Fields(args)...)
	status := p.address("admin") + "/v1/status"
	compact := func() string { return strings.Join(strings.Fields(p.body(status)), "") }
	if got := compact(); !strings.Contains(got, `"signers":[{"key_id":"development-only"`) {
		t.Errorf("status %s", got)
	}
	archive := filepath.Join(dir, "bundles", "example.tar.gz")
	raw, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 1
	testkit.WriteFile(t, archive, string(raw))
	p.until("the status says that the archive is refused", func() bool {
		return strings.Contains(p.body(status), "example: archive_error: ")
	})
	if got := compact(); !strings.Contains(got, `"example":"2026-11-20"`) {
		t.Errorf("the last good bundle does not decide: %s", got)
	}
}
