package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/bundle/library"
	"github.com/authz-sidecar/sidecar/policies"
)

func libraryCommand(std streams) *cobra.Command {
	var version bool
	cmd := &cobra.Command{
		Use:   "library",
		Short: "Print what the library of the binary has, or copy it",
		Long: `Print the packages and rules of the library that the binary carries, data.sidecar.

Policies that refer to data.sidecar use it, unless a module or data of their own is there: then their copy alone is used.
Its version is part of the digest and the revision of such policies. Its files show as sidecar-library/... in messages.

Exit status: 0 printed; 1 it cannot be read; 2 wrong usage.`,
		Example: "  sidecar library\n  sidecar library copy policies/sidecar",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			if version {
				_, err := fmt.Fprintln(std.out, library.Version)
				return err
			}
			return printLibrary(std)
		},
	}
	cmd.Flags().BoolVar(&version, "version", false, "print the version only")
	cmd.AddCommand(libraryCopyCommand(std))
	return cmd
}

func printLibrary(std streams) error {
	packages, err := library.Describe()
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "library %s\n", library.Version)
	for _, p := range packages {
		fmt.Fprintf(std.out, "\n%s  %s\n", p.Path, cmp.Or(p.Summary, p.Title))
		w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
		for _, r := range p.Rules {
			fmt.Fprintf(w, "  %s\t%s\n", r.Name, cmp.Or(r.Summary, r.Title))
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func libraryCopyCommand(std streams) *cobra.Command {
	return &cobra.Command{
		Use:   "copy DIR",
		Short: "Copy the library into a new directory, to pin or to change it",
		Long: `Copy the library into a new directory. Policies that are read together with the copy use it in place of the library
of the binary, and go on using it when the binary changes.

Exit status: 0 copied; 1 the directory holds anything, or cannot be written; 2 wrong usage.`,
		Example: "  sidecar library copy policies/sidecar",
		Args:    takes(1, "one directory"),
		RunE: func(_ *cobra.Command, args []string) error {
			return copyLibrary(args[0], std)
		},
	}
}

// copyLibrary writes the library into a directory that holds nothing: files of two versions must not mix.
func copyLibrary(dir string, std streams) error {
	switch entries, err := os.ReadDir(dir); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("copy the library: %w", err)
	case len(entries) > 0:
		return &failure{err: fmt.Errorf("copy the library: %s is not empty", dir), exit: exitFailed,
			hint: "name a new directory, so that the files of two versions do not mix; to upgrade a copy, remove it " +
				"first"}
	}
	files, err := filesOf("", policies.EmbeddedLibrary())
	if err != nil {
		return err
	}
	l := &layout{dir: dir}
	defer l.tell(std.out)
	if err := l.write(files); err != nil {
		return fmt.Errorf("copy the library: %w", err)
	}
	fmt.Fprintf(std.err, "sidecar: library %s is in %s: policies that are read with it use it in place of the "+
		"binary's\n",
		library.Version, filepath.Clean(dir))
	return nil
}
