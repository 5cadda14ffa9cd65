package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// newFile is a file to write where none is.
type newFile struct {
	// name is below the directory of the layout, with forward slashes.
	name    string
	content []byte
	secret  bool // readable for its owner only
}

// layout writes files that are not there yet into a directory. undo takes all of it back.
type layout struct {
	dir string
	// report has a line for each file. It is printed by tell, when all files are there: a reader that goes away ends
	// the process, and would leave half of them.
	report  strings.Builder
	created []string // files and directories, in their order
}

// write writes every file, and leaves those that exist unchanged. With an error nothing of it is left.
func (l *layout) write(files []newFile) error {
	for _, f := range files {
		if err := l.writeOne(f); err != nil {
			l.undo()
			return err
		}
	}
	return nil
}

func (l *layout) writeOne(f newFile) error {
	name, mode := filepath.Join(l.dir, filepath.FromSlash(f.name)), fs.FileMode(0o644)
	if f.secret {
		mode = 0o600
	}
	if err := l.makeDirs(filepath.Dir(name)); err != nil {
		return err
	}
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		fmt.Fprintf(&l.report, "kept   %s (it exists, and is left unchanged)\n", name)
		return nil
	}
	if err != nil {
		return err
	}
	l.created = append(l.created, name)
	_, err = out.Write(f.content)
	if err = errors.Join(err, out.Close()); err == nil {
		fmt.Fprintf(&l.report, "wrote  %s\n", name)
	}
	return err
}

// makeDirs makes a directory and those above it that are missing.
func (l *layout) makeDirs(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if above := filepath.Dir(dir); above != dir {
		if err := l.makeDirs(above); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	l.created = append(l.created, dir)
	return nil
}

// tell prints what became of each file.
func (l *layout) tell(w io.Writer) { _, _ = io.WriteString(w, l.report.String()) }

// undo removes what was written. A directory that has got other files since is left.
func (l *layout) undo() {
	for _, name := range slices.Backward(l.created) {
		_ = os.Remove(name) // there is nothing else to try
	}
	l.created = nil
}

// filesOf are the files of a tree that is part of the binary, below a directory of the layout.
func filesOf(dir string, tree fs.FS) ([]newFile, error) {
	var out []newFile
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(tree, name)
		out = append(out, newFile{name: filepath.ToSlash(filepath.Join(dir, name)), content: content})
		return err
	})
	return out, err
}
