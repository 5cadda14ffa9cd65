//go:build real

package realtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// byRPM installs the RPM into a file tree with rpm itself. The tree is a Debian: it has the programs that the scripts
// call, but no rpm knows of them, so that dependencies are not looked at.
func (rel release) byRPM(t *testing.T) {
	program := tool(t, "rpm", "apt-get install rpm")
	tree := debianTree(t)
	before := permanent(t, tree)
	_, _, _, name := rel.of("amd64")
	rpm := func(args ...string) string {
		return command(t, 5*time.Minute, "", program, append([]string{"--root", tree, "--dbpath", "/var/lib/rpm"},
			args...)...)
	}
	rpm("--install", "--nodeps", filepath.Join(rel.dir, name))
	if out := rpm("--verify", "--nodeps", "sidecar"); out != "" {
		t.Errorf("rpm --verify: %s", out)
	}
	checkTree(t, tree, rpm("--query", "--list", "sidecar"))

	settings := filepath.Join(tree, "etc/logrotate.d/sidecar")
	testkit.WriteFile(t, settings, "# changed by the operator\n")
	testkit.WriteFile(t, filepath.Join(tree, "etc/sidecar/sidecar.yaml"), "# the operator's\n")
	rpm("--upgrade", "--replacepkgs", "--nodeps", filepath.Join(rel.dir, name))
	if got := testkit.ReadFile(t, settings); got != "# changed by the operator\n" {
		t.Errorf("the upgrade changed a configuration file:\n%s", got)
	}

	rpm("--erase", "sidecar")
	var left []string
	for name := range permanent(t, tree) {
		if !before[name] && strings.Contains(name, "sidecar") { // not folders of other programs, such as fish
			left = append(left, name)
		}
	}
	slices.Sort(left)
	want := []string{"etc/logrotate.d/sidecar.rpmsave", "etc/sidecar", "etc/sidecar/sidecar.yaml"}
	if !slices.Equal(left, want) {
		t.Errorf("the removal left %q, want the operator's %q", left, want)
	}
}

// checkTree looks at what the package listed and made in a tree.
func checkTree(t *testing.T, tree, listed string) {
	t.Helper()
	names := strings.Split(listed, "\n")
	for _, name := range []string{"/usr/lib/systemd/system/sidecar.service", "/usr/share/man/man1/sidecar-serve.1.gz",
		"/usr/share/bash-completion/completions/sidecar", "/usr/share/zsh/site-functions/_sidecar",
		"/usr/share/fish/vendor_completions.d/sidecar.fish", "/usr/share/licenses/sidecar/LICENSE"} {
		if !slices.Contains(names, name) {
			t.Errorf("the package has no %s", name)
		}
	}
	inTree := func(argv ...string) string {
		out, err := exec.Command("chroot", append([]string{tree}, argv...)...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", strings.Join(argv, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if out := inTree("stat", "--format", "%A %U:%G", "/etc/sidecar"); out != "drwxr-x--- root:sidecar" {
		t.Errorf("/etc/sidecar is %s", out)
	}
	if out := inTree("sidecar", "version"); !strings.Contains(out, "version: "+releaseVersion+"\n") {
		t.Errorf("sidecar version says\n%s", out)
	}
	enabled := filepath.Join(tree, "etc/systemd/system/multi-user.target.wants/sidecar.service")
	if _, err := os.Lstat(enabled); err == nil {
		t.Error("the installation enabled the service")
	}
}
