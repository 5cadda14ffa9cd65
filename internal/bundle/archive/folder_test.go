package archive_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func inFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		testkit.WriteFile(t, filepath.Join(dir, name), text)
	}
	return dir
}

func TestFolder_IsTheSameBundleAsItsArchive(t *testing.T) {
	dir := inFolder(t, small)
	testkit.WriteFile(t, filepath.Join(dir, ".signatures.json"), "{}")
	testkit.WriteFile(t, filepath.Join(dir, ".git", "x.rego"), "package x\n")
	testkit.WriteFile(t, filepath.Join(dir, "node_modules", "x.rego"), "package x\n")
	a, err := archive.Folder("b.tar.gz", dir, archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if want := mustRead(t, packed(t)); a.Digest != want.Digest || string(a.Signatures) != "{}" {
		t.Errorf("digest %s, want %s; signatures %q", a.Digest, want.Digest, a.Signatures)
	}
}

func TestFolder_IsReadWhereAConfigMapIsMounted(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{".manifest": small[".manifest"], "x.rego": "package orders\n"} {
		testkit.WriteFile(t, filepath.Join(dir, "..2026", name), text)
		if err := os.Symlink(filepath.Join("..2026", name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	a, err := archive.Folder("b", dir, archive.Limits{})
	if err != nil || len(a.Files) != 2 {
		t.Errorf("files %+v, error %v", a, err)
	}
}

func TestFolder_RefusesWhatIsNoFileAndMoreThanTheBounds(t *testing.T) {
	pipe := inFolder(t, small)
	if err := syscall.Mkfifo(filepath.Join(pipe, "x.rego"), 0o600); err != nil {
		t.Fatal(err)
	}
	loop := inFolder(t, small)
	if err := os.Symlink(loop, filepath.Join(loop, "orders", "back")); err != nil {
		t.Fatal(err)
	}
	out := inFolder(t, small)
	if err := os.Symlink(filepath.Join(pipe, "orders", "orders.rego"), filepath.Join(out, "x.rego")); err != nil {
		t.Fatal(err)
	}
	plain := inFolder(t, small)
	for name, c := range map[string]struct {
		dir  string
		lim  archive.Limits
		want string
	}{
		"pipe": {pipe, archive.Limits{}, "b/x.rego: read_error: is not a regular file"},
		"link out": {out, archive.Limits{}, "b/x.rego: read_error: is a link that leads out of the folder: put the file " +
			"itself there"},
		"loop":     {loop, archive.Limits{}, "b/orders/back: read_error: the link leads back to a directory above it"},
		"file":     {filepath.Join(plain, ".manifest"), archive.Limits{}, "b: read_error: is no directory"},
		"missing":  {filepath.Join(plain, "none"), archive.Limits{}, "b: read_error: no such file or directory"},
		"too many": {plain, archive.Limits{Files: 3}, "b: limit_error: there are more than 3 files and directories"},
		"too much": {plain, archive.Limits{Total: 50}, "b: limit_error: all files together hold more than 50 bytes"},
		"too long": {plain, archive.Limits{File: 40}, "b/orders/orders.rego: limit_error: the file holds more than " +
			"40 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := archive.Folder("b", c.dir, c.lim)
			ps, _ := errors.AsType[bundle.Problems](err)
			if a != nil || ps.Error() != c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}
