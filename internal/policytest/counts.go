package policytest

// Counts are how many Rego tests and cases of suites there are.
func (t *Tests) Counts() (rego, cases int) {
	for _, s := range t.suites {
		cases += len(s.cases)
	}
	return len(t.rego.names(selection{})), cases
}
