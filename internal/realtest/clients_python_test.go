//go:build real

package realtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// pythonApp is clients/python/demo.py, as the kind that its first lines tell.
func pythonApp(kind string) func(t *testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd {
		t.Helper()
		return python(t, absolute(t, "../../clients/python/demo.py"), kind)
	}
}

func python(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(filepath.Join(pythonEnvironment(t, "clients-python"), "bin", "python"), args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	return cmd
}

// TestPythonClient runs the tests that lie beside the client, for what the table of cases cannot see.
func TestPythonClient(t *testing.T) {
	cmd := python(t, "-m", "unittest", "discover", "-s", absolute(t, "../../clients/python"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
