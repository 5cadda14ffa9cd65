//go:build real

package realtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// debianTree is a copy of a small Debian that has systemd. The original is made once and kept in the cache.
func debianTree(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("a Debian needs root here: it is unpacked with its owners, and changed into")
	}
	original := cached(t, "debian-bookworm-", nil, func(fresh string) {
		if err := os.Chmod(fresh, 0o755); err != nil {
			t.Fatal(err)
		}
		command(t, 5*time.Minute, "", tool(t, "debootstrap", "apt-get install debootstrap"), "--variant=minbase",
			"--include=systemd,logrotate", "bookworm", fresh)
	})
	tree := filepath.Join(t.TempDir(), "debian")
	command(t, 5*time.Minute, "", "cp", "--archive", original, tree)
	return tree
}

// machine is a Debian that was booted: systemd and what it starts.
type machine struct {
	tree string
	init int // process id of its systemd, here
}

// boot boots the Debian in tree until the test ends.
func boot(t *testing.T, tree string) machine {
	t.Helper()
	group := "sidecar-realtest-" + strconv.Itoa(os.Getpid())
	cmd := exec.Command(tool(t, "unshare", "apt-get install util-linux"), "--mount", "sh",
		absolute(t, "testdata/boot.sh"), tree, group)
	proc := start(t, "Debian", cmd)
	m := machine{tree: tree}
	t.Cleanup(func() {
		if m.init > 0 {
			_ = syscall.Kill(m.init, syscall.SIGKILL) // and with it all processes of its namespace
		}
		<-proc.done
		clean := `mount -t cgroup2 cgroup2 "$1/mnt" && find "$1/mnt/$2" -depth -type d -exec rmdir {} +`
		if out, err := exec.Command("unshare", "--mount", "sh", "-c", clean, "sh", tree,
			group).CombinedOutput(); err != nil {
			t.Errorf("remove the control group: %v\n%s", err, out)
		}
	})
	pid := strconv.Itoa(cmd.Process.Pid)
	proc.await(t, time.Minute, func() bool {
		children, _ := os.ReadFile(filepath.Join("/proc", pid, "task", pid, "children"))
		m.init, _ = strconv.Atoi(strings.TrimSpace(string(children)))
		if m.init == 0 {
			return false
		}
		state, _ := m.try("systemctl", "is-system-running")
		return state == "running" || state == "degraded"
	})
	return m
}

// try runs a program in the machine, as root.
func (m machine) try(argv ...string) (string, error) {
	inside := []string{"--all", "--target", strconv.Itoa(m.init), "env", "--ignore-environment",
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	out, err := exec.Command("nsenter", append(inside, argv...)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// do runs a program that must succeed.
func (m machine) do(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := m.try(argv...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, tail(out))
	}
	return out
}

// property is what systemd says of the sidecar's unit.
func (m machine) property(t *testing.T, name string) string {
	t.Helper()
	return m.do(t, "systemctl", "show", "--value", "--property="+name, "sidecar.service")
}

// write writes a file of the machine.
func (m machine) write(t *testing.T, name, content string) {
	t.Helper()
	testkit.WriteFile(t, filepath.Join(m.tree, name), content)
}

// path is where this machine's programs find a file of the other's, also when it is in memory there.
func (m machine) path(name string) string {
	return filepath.Join(fmt.Sprintf("/proc/%d/root", m.init), name)
}
