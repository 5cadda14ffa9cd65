package main

import (
	"os"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestTheExampleForMCPPassesItsTests: bundles/mcp is what docs/mcp.md shows, and loads as it is.
func TestTheExampleForMCPPassesItsTests(t *testing.T) {
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("../../bundles/mcp")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(folder)
	t.Setenv("CLIENT_SECRET", "made-up")
	out, errs := &testkit.LogBuffer{}, &testkit.LogBuffer{}
	exit := run(t.Context(), []string{"test", "--min-coverage", "100"},
		streams{in: strings.NewReader(""), out: out, err: errs})
	if exit != 0 || !strings.Contains(out.String(), "passed, 0 failed") {
		t.Errorf("exit %d: %s%s", exit, out, errs)
	}
}
