package archive

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// Folder reads a bundle that lies unpacked in a directory, as Read reads an archive. Hidden files are left out, but
// for the manifest and the signatures. Links are followed within the folder, as in a mounted ConfigMap: one that leads
// out of it would put a file of this machine into what is built and signed. The error is bundle.Problems.
func Folder(name, dir string, limits Limits) (*Archive, error) {
	w := walk{collector: collector{Archive: &Archive{Name: name}, names: map[string]bool{}},
		lim: limits.withDefaults()}
	w.top, _ = withoutLinks(dir) // what is wrong with it is found when it is read
	w.dir(dir, "", nil)
	return w.finish()
}

// walk is the reading of one folder.
type walk struct {
	collector
	lim   Limits
	top   string // without links
	files int
	total int64
	full  bool // a bound was met
}

// dir reads one directory; above are those that it is in, so that a link to one of them ends.
func (w *walk) dir(dir, below string, above []fs.FileInfo) {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = errors.New("is no directory")
	}
	for _, a := range above {
		if err == nil && os.SameFile(a, info) {
			err = errors.New("the link leads back to a directory above it")
		}
	}
	if err == nil && len(above) > maxDepth {
		err = errors.New("the directory is more than 64 levels deep")
	}
	var names []os.DirEntry
	if err == nil {
		names, err = os.ReadDir(dir)
	}
	if err != nil {
		w.problems.Add(path.Join(w.Name, below), bundle.CodeRead, "%s", reason(err))
		return
	}
	for _, n := range names {
		if w.full {
			return
		}
		hidden := strings.HasPrefix(n.Name(), ".") && n.Name() != bundle.ManifestName && n.Name() != SignaturesName
		if hidden || n.Name() == "node_modules" {
			continue
		}
		w.entry(filepath.Join(dir, n.Name()), path.Join(below, n.Name()), append(above[:len(above):len(above)], info))
	}
}

// entry reads a file, or the directory that it is.
func (w *walk) entry(file, name string, above []fs.FileInfo) {
	if w.files++; w.files > w.lim.Files {
		w.problems.Add(w.Name, bundle.CodeLimit, "there are more than %d files and directories", w.lim.Files)
		w.full = true
		return
	}
	info, err := os.Stat(file)
	switch {
	case err != nil:
		w.problems.Add(w.show(name), bundle.CodeRead, "%s", reason(err))
	case w.isOutside(file):
		w.problems.Add(w.show(name), bundle.CodeRead, "is a link that leads out of the folder: put the file itself there")
	case info.IsDir():
		w.dir(file, name, above)
	case !info.Mode().IsRegular():
		w.problems.Add(w.show(name), bundle.CodeRead, "is not a regular file")
	case w.admit(name):
		w.file(file, name)
	}
}

// isOutside reports whether a file is a link, or below one, to what is not in the folder.
func (w *walk) isOutside(file string) bool {
	at, err := withoutLinks(file)
	if err != nil {
		return true
	}
	rel, err := filepath.Rel(w.top, at)
	return err != nil || !filepath.IsLocal(rel)
}

func withoutLinks(name string) (string, error) {
	name, err := filepath.EvalSymlinks(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(name)
}

func (w *walk) file(file, name string) {
	raw, err := readAtMost(file, w.lim.File)
	w.total += int64(len(raw))
	switch {
	case err != nil:
		w.problems.Add(w.show(name), bundle.CodeRead, "%s", reason(err))
	case int64(len(raw)) > w.lim.File:
		w.problems.Add(w.show(name), bundle.CodeLimit, "the file holds more than %d bytes", w.lim.File)
	case w.total > w.lim.Total:
		w.problems.Add(w.Name, bundle.CodeLimit, "all files together hold more than %d bytes", w.lim.Total)
		w.full = true
	default:
		w.add(name, raw)
	}
}

// readAtMost reads a file, and one byte more than the limit when it is longer.
func readAtMost(file string, limit int64) ([]byte, error) {
	// A pipe that took the place of the file would block for ever without this flag.
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// reason is an error without the path, which the problem names.
func reason(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}
