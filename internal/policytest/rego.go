package policytest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// testTimeout is how long one test may take. It ends what would never end, and says nothing about speed: OPA traces
// each case of a table, which takes seconds on a busy machine.
const testTimeout = 30 * time.Second

// regoTests are the Rego tests of a set, compiled together with its policies.
type regoTests struct {
	compiler *ast.Compiler
	store    storage.Store
	builtins []*tester.Builtin
	// modules are as they were parsed, before the compiler rewrote them.
	modules map[string]*ast.Module
	files   map[string]bool // of tests
	// undefined are the references of tests to what neither the policies nor tests nor data provide.
	undefined bundle.Problems
}

// compileRego compiles the modules and tests of set. An error is bundle.Problems, with all of them.
func compileRego(ctx context.Context, set *bundle.Set, cfg engine.Config) (*regoTests, error) {
	modules, problems := rego.Parse(set, cfg.Rego(), rego.WithTests)
	if len(problems) > 0 {
		return nil, problems.Sorted()
	}
	store, err := rego.NewStore(set)
	if err != nil {
		return nil, err
	}
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the data: %w", err)
	}
	defer store.Abort(ctx, txn)
	guard := ast.CompilerStageDefinition{
		Name: "GuardCalls", MetricName: "compile_stage_guard_calls",
		Stage: func(c *ast.Compiler) *ast.Error { builtins.GuardCalls(c); return nil },
	}
	compiler := rego.NewCompiler(cfg.Rego(), modules).
		WithPathConflictsCheck(storage.NonEmpty(ctx, store, txn)).
		WithEnablePrintStatements(true).
		WithRewriteTestRules(true). // for the values of what fails
		WithStageAfterID(ast.StageBuildRequiredCapabilities, guard)
	t := &regoTests{compiler: compiler, store: store, builtins: guarded(cfg), modules: modules, files: testFiles(set)}
	// The runner compiles, because it adds stages of its own; no test has this name.
	ran, err := tester.NewRunner().SetCompiler(compiler).SetStore(store).SetModules(modules).Filter("^$").
		RunTests(ctx, txn)
	if err != nil {
		return nil, rego.ProblemsOf("policies", err).Sorted()
	}
	for range ran { // wait for the runner
	}
	t.findUndefined(set)
	return t, nil
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

// names are the tests that sel selects: by the name of their results, data.authz_test.test_reads, that by which a
// filter of OPA's runner knows them. The two differ where a name is no identifier, as of a second test of one name.
func (t *regoTests) names(sel selection) map[string]string {
	names := map[string]string{}
	for _, m := range t.compiler.Modules {
		group := m.Package.Path.String()
		for _, rule := range m.Rules {
			ref := testRef(rule)
			if ref != nil && rule.Location != nil && sel.takes(rule.Location.File, group, ref.String()) {
				names[group+"."+ref.String()] = m.Package.Path.Extend(ref).String()
			}
		}
	}
	return names
}

// testRef is the reference of a test below its package, without the cases of a table; nil when rule is no test.
func testRef(rule *ast.Rule) ast.Ref {
	ref := rule.Head.Ref().GroundPrefix()
	for i, t := range ref {
		var part string
		switch v := t.Value.(type) {
		case ast.Var:
			part = string(v)
		case ast.String:
			part = string(v)
		}
		if strings.HasPrefix(part, tester.TestPrefix) || strings.HasPrefix(part, tester.SkipTestPrefix) {
			return ref[:i+1]
		}
	}
	return nil
}

// run runs the tests with these names, in parallel, and follows them by covered, which may be nil. A test that fails,
// or takes longer than five seconds, is a Result. An error is that of ctx.
func (t *regoTests) run(ctx context.Context, names map[string]string, covered *cover.Cover) ([]Result, error) {
	if len(names) == 0 {
		return nil, nil
	}
	runner := t.runner(slices.Collect(maps.Values(names))).SetCoverageRuns(nil)
	if covered != nil {
		runner.SetCoverageQueryTracer(covered)
	}
	ran, err := t.collect(ctx, runner)
	if err != nil {
		return nil, err
	}
	failures := map[string]failure{}
	if failed := failedNames(ran, names); len(failed) > 0 {
		if failures, err = t.explain(ctx, failed); err != nil {
			return nil, err
		}
	}
	var results []Result
	for _, r := range ran {
		results = append(results, t.resultOf(r, failures[nameOf(r)]))
	}
	return results, nil
}

func (t *regoTests) runner(names []string) *tester.Runner {
	return tester.NewRunner().SetCompiler(t.compiler).SetStore(t.store).AddCustomBuiltins(t.builtins).
		RaiseBuiltinErrors(true).SetTimeout(testTimeout).Filter(exactly(names))
}

// collect waits for all results of a runner.
func (t *regoTests) collect(ctx context.Context, runner *tester.Runner) ([]*tester.Result, error) {
	txn, err := t.store.NewTransaction(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the data: %w", err)
	}
	defer t.store.Abort(ctx, txn)
	results, err := runner.RunTests(ctx, txn)
	if err != nil {
		return nil, fmt.Errorf("run tests: %w", err)
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

func nameOf(r *tester.Result) string { return r.Package + "." + r.Name }

// resultOf is the result of a test, with the expression that failed, where that is known.
func (t *regoTests) resultOf(r *tester.Result, failed failure) Result {
	out := Result{
		Group: r.Package, Name: r.Name, File: r.Location.File, Row: r.Location.Row, Took: r.Duration, Outcome: Passed,
	}
	switch {
	case r.Skip:
		out.Outcome = Skipped
	case r.Error != nil:
		out.Outcome = Failed
		out.Output = append(out.Output, errorText(r.Error))
	case r.Fail:
		out.Outcome = Failed
		out.Output = append(append(out.Output, failedCases(r)...), failed.lines()...)
	case len(r.SubResults) == 0 && t.isTable(r.Location): // which OPA takes for passed
		out.Outcome = Failed
		out.Output = append(out.Output, "the table has no cases: nothing was tested; is a name in its body misspelt?")
	}
	for line := range strings.SplitSeq(strings.TrimSpace(string(r.Output)), "\n") {
		if line != "" {
			out.Output = append(out.Output, "print: "+line)
		}
	}
	return out
}

// isTable reports whether the test at a place has a variable in its head.
func (t *regoTests) isTable(at *ast.Location) bool {
	for _, m := range t.compiler.Modules {
		for _, rule := range m.Rules {
			if rule.Location != nil && rule.Location.Equal(at) {
				return len(rule.Head.Ref()) > len(testRef(rule))
			}
		}
	}
	return false
}

// errorText is the innermost error of OPA, with its place, in the public names of builtins.
func errorText(err error) string {
	if topdown.IsCancel(err) || strings.Contains(err.Error(), topdown.CancelErr) {
		return "the test is not done after " + testTimeout.String() + ", the limit of one test"
	}
	for {
		inner, ok := errors.AsType[*topdown.Error](errors.Unwrap(err))
		if !ok {
			return builtins.PublicNames(err.Error())
		}
		err = inner
	}
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
