package policytest

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// RegoReport is what the Rego tests of a set said.
type RegoReport struct {
	// Results are sorted by file and row.
	Results  []Result
	Coverage Coverage
}

// Rego runs every test in the Tests of set, over its modules and its data. Tests may be in a bundle of their own.
//
// An error means that nothing ran: bundle.Problems when something does not compile, and the error of ctx. A test that
// fails, or takes longer than five seconds, is a Result.
func Rego(ctx context.Context, set *bundle.Set, cfg engine.Config) (RegoReport, error) {
	modules, problems := rego.Parse(set, cfg.Rego(), rego.WithTests)
	if len(problems) > 0 {
		return RegoReport{}, problems.Sorted()
	}
	store, err := rego.NewStore(set)
	if err != nil {
		return RegoReport{}, err
	}
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return RegoReport{}, fmt.Errorf("open the data: %w", err)
	}
	defer store.Abort(ctx, txn)
	compiler := rego.NewCompiler(cfg.Rego()).
		WithPathConflictsCheck(storage.NonEmpty(ctx, store, txn)).
		WithEnablePrintStatements(true)

	covered := cover.New()
	runner := tester.NewRunner().
		SetCompiler(compiler).SetStore(store).SetModules(modules).
		RaiseBuiltinErrors(true).
		SetCoverageRuns(nil).SetCoverageQueryTracer(covered)
	ran, err := collect(ctx, runner, txn)
	if err != nil {
		return RegoReport{}, err
	}
	places := map[string]string{}
	if names := failedNames(ran); len(names) > 0 {
		if places, err = whereFailed(ctx, compiler, store, txn, names); err != nil {
			return RegoReport{}, err
		}
	}
	report := RegoReport{Coverage: coverageOf(covered.Report(compiler.Modules), testFiles(set))}
	for _, r := range ran {
		report.Results = append(report.Results, resultOf(r, places[nameOf(r)]))
	}
	sortResults(report.Results)
	return report, nil
}

// testFiles returns the files of the tests of set.
func testFiles(set *bundle.Set) map[string]bool {
	files := map[string]bool{}
	for _, b := range set.Bundles {
		for _, f := range b.Tests {
			files[f.Path] = true
		}
	}
	return files
}

// collect waits for all results of a runner.
func collect(ctx context.Context, runner *tester.Runner, txn storage.Transaction) ([]*tester.Result, error) {
	results, err := runner.RunTests(ctx, txn)
	if err != nil {
		return nil, rego.ProblemsOf("policies", err).Sorted()
	}
	var all []*tester.Result
	for r := range results {
		all = append(all, r)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("run tests: %w", err)
	}
	return all, nil
}

// failedNames returns the names of the tests that need an explanation.
func failedNames(ran []*tester.Result) []string {
	var names []string
	for _, r := range ran {
		if r.Fail && r.Error == nil {
			names = append(names, nameOf(r))
		}
	}
	return names
}

func nameOf(r *tester.Result) string { return r.Package + "." + r.Name }

// whereFailed runs tests once more, slowly, and says of each which expression of it failed last.
func whereFailed(
	ctx context.Context, compiler *ast.Compiler, store storage.Store, txn storage.Transaction, names []string,
) (map[string]string, error) {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = regexp.QuoteMeta(n)
	}
	runner := tester.NewRunner().SetCompiler(compiler).SetStore(store).
		EnableTracing(true).Filter("^(" + strings.Join(quoted, "|") + ")$")
	ran, err := collect(ctx, runner, txn)
	if err != nil {
		return nil, err
	}
	places := map[string]string{}
	for _, r := range ran {
		for _, e := range r.Trace {
			x, ok := e.Node.(*ast.Expr)
			if ok && e.Op == topdown.FailOp && x.Location != nil && x.Location.File == r.Location.File {
				text, _, _ := strings.Cut(string(x.Location.Text), "\n")
				places[nameOf(r)] = fmt.Sprintf("%s:%d: does not hold: %s", x.Location.File, x.Location.Row, text)
			}
		}
	}
	return places, nil
}

// resultOf is the result of a test, with the expression that failed, where that is known.
func resultOf(r *tester.Result, failed string) Result {
	out := Result{
		Group: r.Package, Name: r.Name, File: r.Location.File, Row: r.Location.Row, Took: r.Duration, Outcome: Passed,
	}
	switch {
	case r.Skip:
		out.Outcome = Skipped
	case r.Error != nil:
		out.Outcome = Failed
		out.Output = append(out.Output, r.Error.Error())
	case r.Fail:
		out.Outcome = Failed
		out.Output = append(out.Output, failedCases(r)...)
		if failed == "" {
			failed = "the test is neither true nor false: it is undefined, or not a boolean"
		}
		out.Output = append(out.Output, failed)
	}
	for line := range strings.SplitSeq(strings.TrimSpace(string(r.Output)), "\n") {
		if line != "" {
			out.Output = append(out.Output, "print: "+line)
		}
	}
	return out
}

// failedCases names what failed in a test that is a table.
func failedCases(r *tester.Result) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(r.SubResults)) {
		if r.SubResults[name].Fail {
			out = append(out, "case failed: "+name)
		}
	}
	return out
}
