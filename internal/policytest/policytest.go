// Package policytest runs the tests of policies: Rego tests, and suites of decisions written in YAML.
//
// Rego tests (rules named test_... in *_test.rego) evaluate rules one by one. Suites (*_suite.yaml) put whole requests
// to the real decision point, in front of the real policy and the real reading of introspection answers, and compare
// what callers would see. Both use policies exactly as serving does: strict, typed by the schema of the input, and
// with bounded builtins, any failure of which is an error.
//
//	_, policy, err := app.Load(ctx, cfg)                           // as it is served
//	tests, err := policytest.Load(ctx, Source{Config: cfg}, policy) // everything beside it
//	report, err := tests.Run(ctx, Options{})
package policytest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Outcome is how a test ended.
type Outcome string

// The outcomes.
const (
	Passed Outcome = "passed"
	Failed Outcome = "failed"
	// Skipped is a Rego test whose name begins with todo_test_.
	Skipped Outcome = "skipped"
)

// Result is what became of one Rego test or of one case of a suite.
type Result struct {
	// Group is the package of a Rego test ("data.authz_test"), or the name of a suite.
	Group string
	// Name is the rule of a Rego test, or the name of a case.
	Name string
	// File and Row are where it is written.
	File    string
	Row     int
	Outcome Outcome
	Took    time.Duration
	// Output is what there is to say, a line each: why a test failed, and what Rego printed.
	Output []string
}

// String returns "outcome: group: name (file:row)", followed by the output, indented.
func (r Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: %s (%s:%d)", r.Outcome, r.Group, r.Name, r.File, r.Row)
	for _, line := range r.Output {
		b.WriteString("\n    " + line)
	}
	return b.String()
}

// AnyFailed reports whether one of results is Failed.
func AnyFailed(results []Result) bool {
	return slices.ContainsFunc(results, func(r Result) bool { return r.Outcome == Failed })
}

func sortResults(results []Result) {
	slices.SortFunc(results, func(a, b Result) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Name, b.Name))
	})
}
