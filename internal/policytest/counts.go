package policytest

import "github.com/authz-sidecar/sidecar/internal/bundle"

// Counts are how many Rego tests and cases of suites there are.
func (t *Tests) Counts() (rego, cases int) {
	for _, s := range t.suites {
		cases += len(s.cases)
	}
	return len(t.rego.names(selection{})), cases
}

// Doubts are what Rego tests have that no decision has: values of "with input" that do not fit the schema of the
// input, and references to data that nothing provides.
func (t *Tests) Doubts() bundle.Problems { return t.rego.doubts(selection{}) }
