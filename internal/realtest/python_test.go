//go:build real

package realtest

import (
	"path/filepath"
	"testing"
	"time"
)

// pythonEnvironment is a virtual environment with what the lock file in a folder of testdata names. It is kept in the
// cache, by the lock file's hash.
func pythonEnvironment(t *testing.T, folder string) string {
	t.Helper()
	lock := absolute(t, filepath.Join("testdata", folder, "requirements.txt"))
	return cached(t, folder+"-", []string{lock}, func(fresh string) {
		command(t, 5*time.Minute, "", tool(t, "python3", "install Python 3.11"), "-m", "venv", fresh)
		command(t, 5*time.Minute, "", filepath.Join(fresh, "bin", "python"), "-m", "pip", "install", "-q",
			"--require-hashes", "--only-binary", ":all:", "-r", lock)
	})
}
