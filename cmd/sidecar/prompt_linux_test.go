package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// terminal is a pseudo-terminal with a sidecar at its other end.
type terminal struct {
	master, slave *os.File
	shown         *testkit.LogBuffer
	ended         chan error
}

// atTerminal runs a command at a terminal of its own, and ends it with the test.
func atTerminal(t *testing.T, dir string, args ...string) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sidecar", args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tty := &terminal{master: master, slave: slave, shown: &testkit.LogBuffer{}, ended: make(chan error, 1)}
	go func() { tty.ended <- cmd.Wait() }()
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			_, _ = tty.shown.Write(b[:n])
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = slave.Close()
		_ = master.Close()
	})
	return tty
}

func (tty *terminal) shows(t *testing.T, text string) {
	t.Helper()
	testkit.Eventually(t, "the terminal shows "+text, func() bool { return tty.shown.Has(text) })
}

func (tty *terminal) types(t *testing.T, text string) {
	t.Helper()
	if _, err := tty.master.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// echoes reports whether what is typed is shown.
func (tty *terminal) echoes(t *testing.T) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(tty.slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

func TestTheSecretIsNotShownWhileItIsTyped(t *testing.T) {
	s := issuerOfOrders(t)
	dir := t.TempDir()
	tty := atTerminal(t, dir, "init", "--issuer", s.Issuer(), "--client-id", "orders-api")
	tty.shows(t, "Client secret of orders-api (kept in client-secret): ")
	testkit.Eventually(t, "the echo is off", func() bool { return !tty.echoes(t) })
	tty.types(t, "a-secret-of-orders\n")
	tty.shows(t, "Identifier of your API")
	tty.types(t, "orders-api\n")
	tty.shows(t, "serve it:")
	if err := <-tty.ended; err != nil {
		t.Errorf("%v\n%s", err, tty.shown)
	}
	if tty.shown.Has("a-secret-of-orders") {
		t.Errorf("the secret is shown:\n%s", tty.shown)
	}
	if got := testkit.ReadFile(t, filepath.Join(dir, "client-secret")); got != "a-secret-of-orders\n" {
		t.Errorf("%q is kept", got)
	}
}

func TestAnInterruptedPromptLeavesTheTerminalAsItWas(t *testing.T) {
	s := issuerOfOrders(t)
	dir := t.TempDir()
	tty := atTerminal(t, dir, "init", "--issuer", s.Issuer(), "--client-id", "orders-api")
	tty.shows(t, "Client secret of orders-api")
	testkit.Eventually(t, "the echo is off", func() bool { return !tty.echoes(t) })
	tty.types(t, "half a sec\x03")
	err := <-tty.ended
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != exitFailed {
		t.Errorf("%v", err)
	}
	if !tty.echoes(t) {
		t.Error("what is typed is not shown any more")
	}
	tty.shows(t, "interrupted")
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 ||
		strings.Contains(tty.shown.String(), "half") {
		t.Errorf("%v, %v\n%s", entries, err, tty.shown)
	}
}
