//go:build real

package realtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// nodeApp is clients/node/demo.mjs, as the kind that its first lines tell.
func nodeApp(kind string) func(t *testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd {
		t.Helper()
		cmd := exec.Command(tool(t, "node", "install Node 20 or newer"), "demo.mjs", kind)
		cmd.Dir = nodeFolder(t)
		return cmd
	}
}

// nodeFolder has the files of clients/node, beside the packages that the lock file names.
func nodeFolder(t *testing.T) string {
	t.Helper()
	var sources []string
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc"} {
		sources = append(sources, filepath.Join("testdata", "clients-node", name))
	}
	installed := cached(t, "clients-node-", sources, func(fresh string) {
		copyInto(t, fresh, sources...)
		command(t, 5*time.Minute, fresh, tool(t, "npm", "install npm"), "ci", "--ignore-scripts", "--cache",
			filepath.Join(cacheDir(t), "npm"))
	})
	dir := t.TempDir()
	copyInto(t, dir, "../../clients/node/demo.mjs", "../../clients/node/sidecar.mjs")
	if err := os.Symlink(filepath.Join(installed, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func copyInto(t *testing.T, dir string, files ...string) {
	t.Helper()
	for _, name := range files {
		testkit.WriteFile(t, filepath.Join(dir, filepath.Base(name)), testkit.ReadFile(t, name))
	}
}

// TestNodeClient runs the tests that lie beside the client, for what the table of cases cannot see.
func TestNodeClient(t *testing.T) {
	command(t, 5*time.Minute, "../../clients/node", tool(t, "node", "install Node 20 or newer"), "--test")
}
