//go:build bench

package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// process is a server that was started here and ends with its test.
type process struct {
	cmd   *exec.Cmd
	said  string // file of its standard error
	begun time.Time
	ended chan struct{} // closed when it has
}

// start runs a program until the test ends. What it says to its standard error is shown if the test fails.
func start(t *testing.T, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(name, args...), said: filepath.Join(t.TempDir(), "stderr"),
		ended: make(chan struct{})}
	stderr, err := os.OpenFile(p.said, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stderr.Close() }() // the process has its own
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = stderr
	p.begun = time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // how it ends is of no interest
	}()
	t.Cleanup(func() {
		p.stop()
		if said, _ := os.ReadFile(p.said); t.Failed() && len(said) > 0 {
			t.Logf("%s said:\n%s", name, said[:min(len(said), 4096)])
		}
	})
	return p
}

// forget empties the file of what the process said, which must have been a log of decisions.
func (p *process) forget(t *testing.T) {
	t.Helper()
	const warnings = 4 << 10 // most that it says without a log
	if info, err := os.Stat(p.said); err != nil || info.Size() < warnings {
		t.Fatalf("%s has logged no decisions: %v", p.cmd.Path, err)
	}
	if err := os.Truncate(p.said, 0); err != nil {
		t.Fatal(err)
	}
}

// stop asks the process to end, kills it when it does not, and waits for it. A second call does nothing.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(answerIn):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// ticksPerSecond is USER_HZ, which is 100 on every Linux that Go runs on.
const ticksPerSecond = 100

// cpu is the processor time that the process has used so far, user and system together: proc_pid_stat(5), in steps
// of 10 ms.
func (p *process) cpu() (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The name in brackets may hold anything; fields are counted from behind it: utime is the 14th of all.
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// memory is the resident memory of the process in MiB, now and at its highest: proc_pid_status(5).
func (p *process) memory() (now, peak float64, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(raw)) {
		name, value, _ := strings.Cut(line, ":")
		to := map[string]*float64{"VmRSS": &now, "VmHWM": &peak}[name]
		if to == nil {
			continue
		}
		kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		if err != nil {
			return 0, 0, err
		}
		*to = kib / 1024
	}
	return now, peak, nil
}

// build makes a program with the flags that the product is built with, and returns its path.
func build(t *testing.T, name string, command ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name)
	cmd := exec.Command("go", append(command[:1:1],
		append([]string{"-trimpath", "-ldflags=-s -w", "-o", out}, command[1:]...)...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, said)
	}
	return out
}

// install builds the program of OPA at the version that the sidecar has inside, apart from go.mod: it needs modules
// that the sidecar does not.
func install(t *testing.T, pkg string) string {
	t.Helper()
	version, _ := engine.Versions()
	dir := t.TempDir()
	cmd := exec.Command("go", "install", "-trimpath", "-ldflags=-s -w", pkg+"@v"+version)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOBIN="+dir)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("install %s: %v\n%s", pkg, err, said)
	}
	return filepath.Join(dir, filepath.Base(pkg))
}

// freeAddress is a loopback address that is held for the test: only a process that the test starts listens on it.
func freeAddress(t testing.TB) string {
	t.Helper()
	return testkit.HoldPort(t).Addr()
}

// await asks the server until it allows, and returns how long after the start of p that was.
func await(t *testing.T, p *process, dial func(n int) ([]caller, error)) time.Duration {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(2 * time.Minute) // a sidecar with 100 MB of data on a busy machine
	for {
		err := once(dial)
		if err == nil {
			return time.Since(p.begun)
		}
		select {
		case <-tick.C:
		case <-p.ended:
			t.Fatalf("%s has ended", p.cmd.Path)
		case <-deadline:
			t.Fatalf("%s is not ready: %v", p.cmd.Path, err)
		}
	}
}

func once(dial func(n int) ([]caller, error)) error {
	c, err := dial(1)
	if err != nil {
		return err
	}
	defer closeAll(c)
	return c[0].check()
}
