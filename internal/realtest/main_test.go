//go:build real

// Package realtest runs the sidecar, as a process, against authorization servers that other people wrote, and in the
// image that its Dockerfile makes. It provisions them itself and fails, never skips, when one cannot be had.
//
// It needs Linux, and: Maven and Java 17 for Keycloak and the Spring Authorization Server, Node 20 and npm for
// oidc-provider, Python 3.11 with venv for django-oauth-toolkit, buildah and root for the image,
// prometheus and promtool for what is monitored. Ory fosite and zitadel/oidc are built with the Go that is there.
package realtest

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// binary is the sidecar under test. TestMain builds it; nothing else writes here.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sidecar-realtest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "sidecar")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "../../cmd/sidecar")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the sidecar: %v\n%s", err, out)
		return 1
	}
	code := m.Run()
	if seen := results.String(); seen != "" {
		fmt.Printf("what the sidecar answered, with cache.ttl 1s:\n%s", seen)
	}
	if gaps := results.gaps(); len(gaps) > 0 && flag.Lookup("test.run").Value.String() == "" {
		fmt.Fprintf(os.Stderr, "nothing was seen of:\n%s\n", strings.Join(gaps, "\n"))
		return 1
	}
	return code
}

// client is for calls that follow no redirects: a redirect is an answer here.
func client() *http.Client {
	return &http.Client{
		Timeout:       2 * time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// freePort is a port of the loopback address for a program that cannot choose one itself. It is held until the test
// ends, so that no other program gets it before, between or after the program's own use of it.
func freePort(t *testing.T) int {
	t.Helper()
	return testkit.HoldPort(t).Number()
}

// tool finds a program, or fails with how to get it.
func tool(t *testing.T, name, hint string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is needed and is not there: %s", name, hint)
	}
	return path
}

// command runs a program to its end and returns its standard output. A failure is fatal and shows the end of what it
// said.
func command(t *testing.T, within time.Duration, dir, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.WaitDelay = 10 * time.Second
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		// Without its arguments: some come from the environment, and that may hold credentials.
		t.Fatalf("run %s: %v\n%s", filepath.Base(name), err, tail(out.String()+said.String()))
	}
	return out.String()
}

// verdict runs a tool, and returns what it printed, or what it said against its input.
func verdict(t *testing.T, tool string, args ...string) (out []byte, refusals string) {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(tool, args...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err == nil {
		return out, ""
	}
	if _, ran := errors.AsType[*exec.ExitError](err); !ran {
		t.Fatalf("run %s: %v", tool, err)
	}
	return nil, fmt.Sprintf("%v\n%s%s", err, out, said.Bytes())
}

// tail is the end of a log, short enough to read.
func tail(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}
