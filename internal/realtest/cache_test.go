//go:build real

package realtest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// cacheDir keeps downloads and builds from one run to the next: $SIDECAR_TEST_CACHE, or a folder among the user's
// caches.
func cacheDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SIDECAR_TEST_CACHE")
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			t.Fatalf("%v: set SIDECAR_TEST_CACHE", err)
		}
		dir = filepath.Join(base, "sidecar-test")
	}
	dir = absolute(t, dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// filling has a lock for each directory of cached, so that tests that run at once fill it once.
var filling sync.Map

// cached is a directory of the cache that fill has filled from sources. Its name holds their hash, so that a change of
// one makes another. It appears whole: it is filled beside its place and then moved.
func cached(t *testing.T, prefix string, sources []string, fill func(fresh string)) string {
	t.Helper()
	h := sha256.New()
	for _, s := range sources {
		sum, err := sha256Of(s)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(h, sum)
	}
	dir := filepath.Join(cacheDir(t), prefix+hex.EncodeToString(h.Sum(nil))[:16])
	one, _ := filling.LoadOrStore(dir, &sync.Mutex{})
	one.(*sync.Mutex).Lock()
	defer one.(*sync.Mutex).Unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	fresh, err := os.MkdirTemp(cacheDir(t), "make-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(fresh) }()
	begun := time.Now()
	fill(fresh)
	t.Logf("%s is made after %v", filepath.Base(dir), time.Since(begun).Round(time.Second))
	if err := os.Rename(fresh, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	return dir
}

func sha256Of(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
