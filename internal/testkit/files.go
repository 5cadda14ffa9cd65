package testkit

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// WriteFile writes a file that all users may read, makes the directories that it is in, and returns its name.
func WriteFile(t testing.TB, name, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// WriteFiles writes files below a directory: content by name.
func WriteFiles(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		WriteFile(t, filepath.Join(dir, name), content)
	}
}

// TempFile writes a file in a new directory, which is removed at the end of the test, and returns its path.
func TempFile(t testing.TB, name, content string) string {
	t.Helper()
	return WriteFile(t, filepath.Join(t.TempDir(), name), content)
}

// SecretFile is a secret in a file, as a configuration names it.
func SecretFile(t testing.TB, value string) secret.Source {
	t.Helper()
	return secret.Source{File: TempFile(t, "secret", value)}
}

// ReadFile returns the content of a file.
func ReadFile(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
