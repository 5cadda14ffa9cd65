package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/policytest"
)

// testRun is what the flags of test say.
type testRun struct {
	source
	run, format        string
	bootstrap          string
	minimum            float64
	coverage, verbose  bool
	watch              bool
	minimumGiven       bool
	selected           *regexp.Regexp
	testDirs, oneFiles []string
}

func testCommand(std streams) *cobra.Command {
	var t testRun
	cmd := &cobra.Command{
		Use:   "test [PATH...]",
		Short: "Run the Rego tests and decision suites of the policies",
		Long: `Run the Rego tests (rules named test_... in *_test.rego) and the decision suites (*_suite.yaml), by the very path
that serves: the same configuration, strict and typed compilation, bounded builtins, library and decision point.

Without a path, tests are those in the configured policy directories and bundles, and in policy_test beside the
configuration file. Paths are policy directories, bundle folders and archives, in place of the configured ones, and
directories of tests; a single *_test.rego or *_suite.yaml runs alone.

Exit status: 0 something ran and nothing failed; 1 there are no tests; 2 wrong usage; 3 policies, tests or suites do not
load; 4 a test failed, or the coverage is below --min-coverage.`,
		Example: "  sidecar test\n  sidecar test policies policy_test --coverage --min-coverage 95\n" +
			"  sidecar test --run 'orders/' --format junit > report.xml\n" +
			"  sidecar test --bootstrap decisions.jsonl > policy_test/first_suite.yaml",
		RunE: func(cmd *cobra.Command, paths []string) error {
			t.minimumGiven = cmd.Flags().Changed("min-coverage")
			if err := t.prepare(paths); err != nil {
				return err
			}
			if t.bootstrap != "" {
				return t.writeFirst(cmd.Context(), std)
			}
			if t.watch {
				return t.watching(cmd.Context(), std)
			}
			return t.once(cmd.Context(), std)
		},
	}
	t.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&t.run, "run", "", "run only tests whose group/name matches this regular expression, `RE`")
	f.BoolVar(&t.coverage, "coverage", false, "print which rows of the policies no test evaluates")
	f.Float64Var(&t.minimum, "min-coverage", 0, "fail when fewer than `PERCENT` of the rows are evaluated")
	chooseFlag(cmd, &t.format, "format", "form of the report", "pretty", "json", "junit")
	f.BoolVar(&t.watch, "watch", false, "run again at each change of policies, tests and suites")
	f.StringVar(&t.bootstrap, "bootstrap", "",
		"print a first suite from a decision log, a `FILE` or - for standard input, and run nothing")
	f.BoolVarP(&t.verbose, "verbose", "v", false, "print each test")
	return cmd
}

// prepare checks flags, and sorts the paths into policies, directories of tests, and single files.
func (t *testRun) prepare(paths []string) error {
	var err error
	if t.selected, err = regexp.Compile(t.run); err != nil {
		return &failure{err: fmt.Errorf("--run: %w", err), exit: exitUsage,
			hint: "write a regular expression (RE2), such as 'orders/reads'"}
	}
	if t.run == "" {
		t.selected = nil
	}
	if t.watch && t.format != "pretty" {
		return &failure{err: fmt.Errorf("--watch: runs are printed for people, not as %s", t.format), exit: exitUsage}
	}
	if t.minimumGiven && !(t.minimum >= 0 && t.minimum <= 100) {
		return &failure{err: fmt.Errorf("--min-coverage: %v is not from 0 to 100", t.minimum), exit: exitUsage}
	}
	for _, p := range paths {
		info, err := os.Stat(p)
		switch {
		case err != nil:
			return &failure{err: err, exit: exitUsage, hint: "name a directory, or a *_test.rego or *_suite.yaml"}
		case info.IsDir() && (policytest.HoldsPolicies(p) || isBundle(p)), dir.IsArchive(p):
			t.paths = append(t.paths, p)
		case info.IsDir():
			t.testDirs = append(t.testDirs, p)
		case policytest.IsTestFile(p):
			t.oneFiles = append(t.oneFiles, p)
		default:
			return &failure{err: fmt.Errorf("%s is no *_test.rego and no *_suite.yaml", p), exit: exitUsage,
				hint: "name the directory that holds the policies"}
		}
	}
	return nil
}

// find reads the configuration, and says where the tests are.
func (t *testRun) find(std streams) (policytest.Source, error) {
	cfg, err := t.load(std.err)
	if err != nil {
		return policytest.Source{}, err
	}
	cfg.Engine.Deadline = max(cfg.Engine.Deadline, 5*time.Second) // that of one Rego test: a pipeline may be busy
	cfg.Engine.Print = func(string, engine.Print) {}              // prints of a decision come with its explanation
	src := policytest.Source{Config: cfg, Dirs: t.testDirs, Files: t.oneFiles}
	if len(t.paths)+len(t.testDirs)+len(t.oneFiles) == 0 {
		src.Dirs = t.testsBeside()
	}
	return src, nil
}

// loadTests reads everything to run. Its error is of type bundle.Problems when something does not load.
func (t *testRun) loadTests(ctx context.Context, std streams) (*policytest.Tests, policytest.Source, error) {
	src, err := t.find(std)
	if err != nil {
		return nil, src, err
	}
	_, policy, err := app.Load(ctx, src.Config)
	problems, broken := errors.AsType[bundle.Problems](err)
	if err != nil && !broken {
		return nil, src, err
	}
	tests, err := policytest.Load(ctx, src, policy)
	more, also := errors.AsType[bundle.Problems](err)
	switch {
	case broken || also:
		return nil, src, append(problems, more...).Sorted()
	case err != nil:
		return nil, src, err
	}
	return tests, src, nil
}

// once runs everything and prints the report.
func (t *testRun) once(ctx context.Context, std streams) error {
	tests, src, err := t.loadTests(ctx, std)
	if err != nil {
		return t.notLoaded(std, err)
	}
	report, err := tests.Run(ctx, policytest.Options{Run: t.selected, Coverage: t.coverage || t.minimumGiven})
	if err != nil {
		return err
	}
	for _, w := range report.Warnings {
		fmt.Fprintf(std.err, "sidecar: warning: %s\n", w)
	}
	if len(report.Results) == 0 {
		return t.nothing(src)
	}
	if err := t.print(std, report); err != nil {
		return err
	}
	return t.outcome(report)
}

// notLoaded prints problems, which are the result of the command.
func (t *testRun) notLoaded(std streams, err error) error {
	problems, ok := errors.AsType[bundle.Problems](err)
	if !ok || t.format == "junit" {
		return err
	}
	if t.format == "json" {
		if err := policytest.WriteProblemsJSON(std.out, problems); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(std.out, problems)
	}
	return &failure{err: err, exit: exitNotCompile, quiet: true}
}

// nothing is the error of a run without tests: it says where they were looked for.
func (t *testRun) nothing(src policytest.Source) error {
	cfg := src.Config.Policies.Config
	looked := append(append(append([]string{}, cfg.Paths...), cfg.Bundles...), src.Dirs...)
	if len(src.Files) > 0 {
		looked = src.Files
	}
	err := fmt.Errorf("no tests found in %s", strings.Join(looked, ", "))
	hint := "write rules named test_... into *_test.rego, or cases into *_suite.yaml, there or in " +
		besideConfiguration
	if t.selected != nil {
		err = fmt.Errorf("%w whose group/name matches %q", err, t.run)
		hint = "sidecar test --verbose prints all names"
	}
	return &failure{err: err, hint: hint, exit: exitFailed}
}

func (t *testRun) print(std streams, report policytest.Report) error {
	switch t.format {
	case "json":
		var minimum *float64
		if t.minimumGiven {
			minimum = &t.minimum
		}
		return report.WriteJSON(std.out, minimum)
	case "junit":
		return report.WriteJUnit(std.out)
	}
	detail := policytest.Brief
	if t.verbose {
		detail = policytest.Full
	}
	return report.WritePretty(std.out, detail)
}

// outcome is the exit status of a report.
func (t *testRun) outcome(report policytest.Report) error {
	if report.Failed() {
		return &failure{err: errors.New("tests failed"), exit: exitTestsFailed, quiet: true}
	}
	if c := report.Coverage; c != nil && t.minimumGiven && c.Percent() < t.minimum {
		var rows []string
		for _, f := range c.Files {
			for _, r := range f.Uncovered {
				rows = append(rows, f.File+":"+r.String())
			}
		}
		return &failure{exit: exitTestsFailed,
			err:  fmt.Errorf("the tests cover %.1f %% of the policies, want at least %v %%", c.Percent(), t.minimum),
			hint: "no test evaluates " + strings.Join(rows, ", ")}
	}
	return nil
}

// isBundle reports whether a directory is a bundle.
func isBundle(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, bundle.ManifestName))
	return err == nil
}
