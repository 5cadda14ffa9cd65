package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/regofmt"
)

func fmtCommand(std streams) *cobra.Command {
	var from source
	var how formatting
	cmd := &cobra.Command{
		Use:   "fmt [PATH...]",
		Short: "Write policies and tests in OPA's format",
		Long: `Write policies and tests (*.rego) in OPA's format, and list the files that changed.

Without a PATH those of the configuration are formatted. A PATH is a directory or a file; - formats standard input to
standard output. A file that is no Rego, or that would not be the same policy afterwards, is left as it is.

Exit status: 0 formatted; 1 with --check, a file differs; 2 wrong usage; 3 a file could not be read or formatted.`,
		Example: "  sidecar fmt policies\n  sidecar fmt --check --diff policies\n  sidecar fmt - < policies/authz.rego",
		RunE: func(_ *cobra.Command, paths []string) error {
			if len(paths) == 1 && paths[0] == "-" {
				return how.stream(std)
			}
			files, problems, err := from.regoFiles(paths, std.err)
			if err != nil {
				return err
			}
			return how.all(files, problems, std)
		},
	}
	from.configFlag(cmd)
	cmd.Flags().BoolVar(&how.check, "check", false, "write nothing, list the files that differ, and fail if there "+
		"are any")
	cmd.Flags().BoolVar(&how.diff, "diff", false, "write nothing, and print the difference")
	return cmd
}

// regoFiles are the files to format: those at paths, or those of the configured policies.
func (s *source) regoFiles(
	paths []string, warn io.Writer,
) (files []dir.RegoFile, problems bundle.Problems, err error) {
	var folders []string
	for _, p := range paths {
		info, err := os.Stat(p)
		if err == nil && !info.IsDir() && dir.IsArchive(p) {
			return nil, nil, &failure{err: fmt.Errorf("%s is an archive, and no file in it is written", p),
				exit: exitUsage,
				hint: "name the folder that it was built from"}
		}
		if err == nil && !info.IsDir() {
			files = append(files, dir.RegoFile{Path: filepath.ToSlash(filepath.Clean(p)), Name: p})
			continue
		}
		folders = append(folders, p)
	}
	if len(paths) > 0 && len(folders) == 0 {
		return files, nil, nil
	}
	s.paths = folders
	s.offline = true
	cfg, err := s.load(warn)
	if err != nil {
		return nil, nil, err
	}
	inside, problems := dir.RegoFiles(cfg.Policies.Config)
	return append(files, inside...), problems, nil
}

// formatting is what is done with a file whose text differs from its formatted text.
type formatting struct{ check, diff bool }

// stream formats standard input to standard output.
func (f formatting) stream(std streams) error {
	file, problems := regofmt.Text("<stdin>", std.in)
	if len(problems) > 0 {
		return unformatted(problems)
	}
	out := file.After
	switch {
	case f.diff:
		out = file.Diff()
	case f.check:
		out = nil
	}
	if _, err := std.out.Write(out); err != nil {
		return err
	}
	if f.check && file.Changed() {
		return unformattedFiles(1)
	}
	return nil
}

// all formats files, each once.
func (f formatting) all(files []dir.RegoFile, problems bundle.Problems, std streams) error {
	seen, changed := map[string]bool{}, 0
	var errs []error
	for _, at := range files {
		real, err := filepath.EvalSymlinks(at.Name)
		if err == nil && seen[real] {
			continue
		}
		seen[real] = true
		file, found := regofmt.Read(at.Path, at.Name)
		problems = append(problems, found...)
		if len(found) > 0 || !file.Changed() {
			continue
		}
		changed++
		if err := f.one(file, std); err != nil {
			errs = append(errs, err)
		}
	}
	switch {
	case len(problems) > 0:
		return unformatted(problems, errs...)
	case len(errs) > 0:
		return errors.Join(errs...)
	case f.check && changed > 0:
		return unformattedFiles(changed)
	}
	return nil
}

func (f formatting) one(file regofmt.File, std streams) error {
	switch {
	case f.diff:
		_, err := std.out.Write(file.Diff())
		return err
	case !f.check:
		if err := file.Write(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(std.out, file.Path)
	return err
}

// unformatted is the failure that some files could not be formatted, or written.
func unformatted(problems bundle.Problems, errs ...error) error {
	err := fmt.Errorf("some files are left as they are:\n%w", errors.Join(append(errs, problems.Sorted())...))
	return &failure{err: err, hint: "fix the problems above, then run: sidecar fmt", exit: exitNotCompile}
}

func unformattedFiles(files int) error {
	what := "1 file is not formatted"
	if files > 1 {
		what = fmt.Sprintf("%d files are not formatted", files)
	}
	return &failure{err: errors.New(what), hint: "sidecar fmt PATH formats them", exit: exitFailed}
}
