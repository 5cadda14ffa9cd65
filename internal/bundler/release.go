// Package bundler makes bundles ready to be shipped: it builds them from directories, with the checks of serving, and
// says what is in one and who signed it.
package bundler

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
)

// Read reads a bundle from an archive or from a folder. An error that is no bundle.Problems is of the file as a whole:
// it is not there.
func Read(name string) (*archive.Archive, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("read bundle %q: %w", name, cause(err))
	}
	shown := filepath.ToSlash(filepath.Clean(name))
	if info.IsDir() {
		a, err := archive.Folder(shown, name, archive.Limits{})
		return a, withManifest(a, err)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read bundle %q: %w", name, cause(err))
	}
	defer func() { _ = f.Close() }()
	a, err := archive.Read(shown, f, archive.Limits{})
	return a, withManifest(a, err)
}

// withManifest refuses what is no bundle, such as the folder above one.
func withManifest(a *archive.Archive, err error) error {
	if err != nil {
		return err
	}
	for _, f := range a.Files {
		if f.Kind == bundle.Manifest {
			return nil
		}
	}
	return bundle.Problems{{File: a.Name, Code: bundle.CodeManifest,
		Message: "the bundle has no .manifest: build it with sidecar bundle build"}}
}

// cause is an error of a file without its path.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// write puts a file in place at once: a reader sees the former or the whole new one.
func write(name string, mode fs.FileMode, fill func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".tmp*")
	if err != nil {
		return fmt.Errorf("write %q: %w", name, cause(err))
	}
	err = fill(f)
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // there is nothing else to try
		return fmt.Errorf("write %q: %w", name, err)
	}
	return nil
}

// Write writes a bundle as an archive.
func Write(name string, a *archive.Archive) error {
	return write(name, 0o644, func(f *os.File) error { return archive.Write(f, a) })
}

// WriteSignatures writes the signatures of a bundle into its folder.
func WriteSignatures(dir string, a *archive.Archive) error {
	return write(filepath.Join(dir, archive.SignaturesName), 0o644, func(f *os.File) error {
		_, err := f.Write(a.Signatures)
		return err
	})
}
