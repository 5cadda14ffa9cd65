package policytest

import (
	"context"
	"regexp"
	"time"

	"github.com/open-policy-agent/opa/v1/cover"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// Options say which of the Tests run, and what is measured.
type Options struct {
	// Run selects tests by "group/name"; nil selects all.
	Run *regexp.Regexp
	// Coverage is set when the coverage of the policies is measured.
	Coverage bool
}

// Report is what a run of tests said.
type Report struct {
	// Results are those of the Rego tests, by file and row, and then those of the suites, in their order.
	Results []Result
	// Warnings are places in tests that probably do not test what they seem to.
	Warnings bundle.Problems
	// Coverage is nil when it was not measured.
	Coverage *Coverage
	Took     time.Duration
}

// Run runs the tests that o selects, in parallel. An error is that of ctx: a test that fails is a Result.
func (t *Tests) Run(ctx context.Context, o Options) (Report, error) {
	begun := time.Now()
	var covered *cover.Cover
	policy := t.policy
	if o.Coverage {
		covered = cover.New()
		policy = policy.Followed(covered)
	}
	sel := selection{t.only, o.Run}
	results, err := t.rego.run(ctx, t.rego.names(sel), covered)
	if err != nil {
		return Report{}, err
	}
	sortResults(results)
	decided, err := decideAll(ctx, policy, t.cfg, t.suites, sel)
	if err != nil {
		return Report{}, err
	}
	report := Report{Results: append(results, decided...), Warnings: t.rego.doubts(sel)}
	if covered != nil {
		c := coverageOf(covered.Report(t.rego.compiler.Modules), t.policies)
		report.Coverage = &c
	}
	report.Took = time.Since(begun)
	return report, nil
}

// Failed reports whether a test failed.
func (r Report) Failed() bool { return AnyFailed(r.Results) }
