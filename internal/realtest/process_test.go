//go:build real

package realtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// process is a program that runs beside the test. What it prints is kept in files.
type process struct {
	name           string
	cmd            *exec.Cmd
	stdout, stderr string // files
	done           chan struct{}
	err            error // of Wait; to be read once done is closed
}

// start starts cmd. It is stopped at the end of t, if the test did not stop it before.
func start(t *testing.T, name string, cmd *exec.Cmd) *process {
	t.Helper()
	dir := t.TempDir()
	p := &process{name: name, cmd: cmd, stdout: filepath.Join(dir, "stdout"), stderr: filepath.Join(dir, "stderr"),
		done: make(chan struct{})}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	// A test that is killed leaves nothing running behind.
	cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	started := make(chan error)
	go p.own(started)
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(func() { p.stop(t) })
	return p
}

// own starts the process and waits for it. It keeps its thread, because the parent of Pdeathsig is a thread.
func (p *process) own(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	stdout, err := os.Create(p.stdout)
	if err != nil {
		started <- err
		return
	}
	defer stdout.Close()
	stderr, err := os.Create(p.stderr)
	if err != nil {
		started <- err
		return
	}
	defer stderr.Close()
	p.cmd.Stdout, p.cmd.Stderr = stdout, stderr
	err = p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// stop asks the process to end, as a supervisor does, and waits until it has. More than once is once.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if p.ended() {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		_ = p.cmd.Process.Kill()
		<-p.done
		t.Errorf("%s did not end when it was asked to:\n%s", p.name, p.log(t))
	}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// await waits until the process is ready. That it ends before, or takes too long, fails t and shows the end of its
// log.
func (p *process) await(t *testing.T, within time.Duration, ready func() bool) {
	t.Helper()
	deadline := time.After(within)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-p.done:
			t.Fatalf("%s ended before it was ready: %v\n%s", p.name, p.err, p.log(t))
		case <-deadline:
			t.Fatalf("%s was not ready within %v\n%s", p.name, within, p.log(t))
		case <-tick.C:
		}
	}
}

// log is the end of what the process printed.
func (p *process) log(t *testing.T) string {
	t.Helper()
	return tail(testkit.ReadFile(t, p.stdout) + testkit.ReadFile(t, p.stderr))
}
