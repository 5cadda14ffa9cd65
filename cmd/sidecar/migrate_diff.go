package main

import (
	"io"
	"slices"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/authz-sidecar/sidecar/internal/migrate"
)

// printDiff prints the changes as unified diffs, file by file. A file that is left out has no lines afterwards.
func printDiff(w io.Writer, before, after []migrate.File) error {
	find := func(files []migrate.File, name string) []byte {
		i := slices.IndexFunc(files, func(f migrate.File) bool { return f.Name == name })
		if i < 0 {
			return nil
		}
		return files[i].Text
	}
	for _, f := range after {
		if _, err := w.Write(diff.Diff(f.Name, find(before, f.Name), f.Name+" (migrated)", f.Text)); err != nil {
			return err
		}
	}
	return nil
}
