package review

import (
	"bytes"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/lint"
)

// CodeFormat is the code of files that differ from their formatted text.
const CodeFormat = "not-formatted"

// unformatted are the modules of set that OPA's formatter would change, each at the first line that differs.
func unformatted(set *bundle.Set) []lint.Finding {
	var out []lint.Finding
	for _, b := range set.Bundles {
		if b.Embedded {
			continue
		}
		for _, f := range append(b.Modules[:len(b.Modules):len(b.Modules)], b.Tests...) {
			formatted, problems := rego.Format(f.Path, f.Raw)
			if len(problems) > 0 || bytes.Equal(formatted, f.Raw) {
				continue
			}
			out = append(out, lint.Finding{Level: lint.Note, Problem: bundle.Problem{
				File: f.Path, Row: firstDifference(f.Raw, formatted), Col: 1, Code: CodeFormat,
				Message: "the file differs from OPA's format from here on: sidecar fmt " + f.Path + " writes it",
			}})
		}
	}
	return out
}

// firstDifference is the first line, from 1, in which two texts differ.
func firstDifference(a, b []byte) int {
	x, y := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	row := 0
	for row < min(len(x), len(y)) && bytes.Equal(x[row], y[row]) {
		row++
	}
	return min(row, len(x)-1) + 1
}
