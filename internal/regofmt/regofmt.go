// Package regofmt formats files of Rego as OPA's formatter does, and writes them back.
package regofmt

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// maxBytes bounds one file, as it does where policies are loaded.
const maxBytes = 16 << 20

// File is a file of Rego and its formatted text.
type File struct {
	// Path is what messages show, Name what the file is opened by.
	Path, Name    string
	Before, After []byte
}

// Read reads and formats the file name, which messages call path. Text that is no Rego, or that the formatter would
// change in meaning, is a problem with a place; the problems of Rego v0 say so.
func Read(path, name string) (File, bundle.Problems) {
	f, err := os.Open(name)
	if err != nil {
		return File{}, bundle.Problems{{File: path, Code: bundle.CodeRead, Message: cause(err)}}
	}
	defer func() { _ = f.Close() }()
	out, problems := Text(path, f)
	out.Name = name
	return out, problems
}

// Text formats the text of r, which messages call path.
func Text(path string, r io.Reader) (File, bundle.Problems) {
	raw, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	switch {
	case err != nil:
		return File{}, bundle.Problems{{File: path, Code: bundle.CodeRead, Message: cause(err)}}
	case len(raw) > maxBytes:
		return File{}, bundle.Problems{{File: path, Code: bundle.CodeLimit,
			Message: fmt.Sprintf("the file holds more than %d bytes", maxBytes)}}
	}
	after, problems := rego.Format(path, raw)
	return File{Path: path, Before: raw, After: after}, problems
}

// Changed reports whether formatting changes the text.
func (f File) Changed() bool { return !bytes.Equal(f.Before, f.After) }

// Diff is the difference between the text and the formatted text, as a unified diff; empty without one.
func (f File) Diff() []byte { return diff.Diff(f.Path, f.Before, f.Path+" (formatted)", f.After) }

// Write puts the formatted text in the place of the file, by renaming: readers see the old text or the new one. The
// file keeps its permissions. Where the name is a link, the target is written and the link stays.
func (f File) Write() error {
	target, err := filepath.EvalSymlinks(f.Name)
	if err != nil {
		return f.failed(err)
	}
	info, err := os.Stat(target)
	if err != nil {
		return f.failed(err)
	}
	// A file that may not be written could be replaced all the same, where its folder may be written.
	open, err := os.OpenFile(target, os.O_WRONLY, 0)
	if err != nil {
		return f.failed(err)
	}
	_ = open.Close()
	if now, err := os.ReadFile(target); err != nil || !bytes.Equal(now, f.Before) {
		return f.failed(cmp.Or(err, errChanged))
	}
	// The name is one that the loader of policies passes over.
	temporary, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*")
	if err != nil {
		return f.failed(err)
	}
	if err = f.writeTo(temporary, info.Mode().Perm()); err == nil {
		err = os.Rename(temporary.Name(), target)
	}
	if err != nil {
		_ = os.Remove(temporary.Name())
		return f.failed(err)
	}
	return nil
}

// errChanged is the cause when an editor has written the file since it was read.
var errChanged = errors.New("it has changed since it was read: run the command again")

func (f File) writeTo(to *os.File, mode fs.FileMode) error {
	_, err := to.Write(f.After)
	return errors.Join(err, to.Chmod(mode), to.Sync(), to.Close())
}

func (f File) failed(err error) error { return fmt.Errorf("write %s: %s", f.Path, cause(err)) }

// cause is the reason that the operating system gave, without the path.
func cause(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}
