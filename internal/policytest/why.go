package policytest

import (
	"strings"

	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/explain"
)

// explanation is why a decision is as it is, in the words of sidecar eval --explain, and what policies printed.
func explanation(d decision.Explained) []string {
	report := explain.Of(d.Decision, d.Why, explain.Facts{HiddenHeaders: d.HiddenHeaders, Named: true})
	out := strings.Split(strings.TrimRight(report.Brief("sidecar eval --explain=full"), "\n"), "\n")
	for _, p := range d.Why.Prints {
		out = append(out, "print: "+explain.Line(p))
	}
	return out
}
