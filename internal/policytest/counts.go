package policytest

import "github.com/authz-sidecar/sidecar/internal/bundle"

// Counts are how many Rego tests and cases of suites there are.
func (t *Tests) Counts() (rego, cases int) {
	for _, s := range t.suites {
		cases += len(s.cases)
	}
	return len(t.rego.names(selection{})), cases
}

// Misfits are the values of "with input" in Rego tests that do not fit the schema of the input.
func (t *Tests) Misfits() bundle.Problems { return t.rego.misfits(selection{}) }
