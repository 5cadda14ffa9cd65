//go:build real

package realtest

import (
	"os"
	"path/filepath"
	"testing"
)

// gateways are those that every run tests.
func gateways() []gateway {
	return []gateway{
		{name: "Envoy, gRPC", page: "envoy.md", start: startEnvoy, down: 503, hung: 503},
	}
}

// openFolder is a new folder that every user may enter, unlike that of t, with its parents.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sidecar-gateway-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(filepath.Clean(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
