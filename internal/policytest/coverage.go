package policytest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/cover"
)

// Coverage is how much of the policies tests and suites evaluated. Tests do not count, nor does the library.
type Coverage struct {
	// Lines is how many lines hold rules or expressions; Covered is how many of them were evaluated.
	Lines, Covered int
	// Files are sorted by name.
	Files []FileCoverage
}

// FileCoverage is the coverage of one file.
type FileCoverage struct {
	File           string
	Lines, Covered int
	// Uncovered are the rows that no test evaluated, in their order.
	Uncovered []Rows
}

// Rows are the rows from First to Last, both among them.
type Rows struct{ First, Last int }

// String returns "7" or "7-9".
func (r Rows) String() string {
	if r.First == r.Last {
		return fmt.Sprint(r.First)
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// Percent is between 0 and 100; 100 when there is nothing to cover.
func (c Coverage) Percent() float64 { return percent(c.Covered, c.Lines) }

// Percent is between 0 and 100; 100 when there is nothing to cover.
func (f FileCoverage) Percent() float64 { return percent(f.Covered, f.Lines) }

func percent(part, whole int) float64 {
	if whole == 0 {
		return 100
	}
	return 100 * float64(part) / float64(whole)
}

// String returns a line a file, "100.0% policies/a.rego" or " 50.0% policies/b.rego: 7, 9-11", and one for the total.
func (c Coverage) String() string {
	var b strings.Builder
	for _, f := range c.Files {
		fmt.Fprintf(&b, "%5.1f%% %s", f.Percent(), f.File)
		for i, rows := range f.Uncovered {
			separator := ", "
			if i == 0 {
				separator = ": "
			}
			b.WriteString(separator + rows.String())
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%5.1f%% total", c.Percent())
	return b.String()
}

// coverageOf is the part of a report that is about these files.
func coverageOf(report cover.Report, files map[string]bool) Coverage {
	var out Coverage
	for file, f := range report.Files {
		if !files[file] {
			continue
		}
		fc := FileCoverage{File: file, Lines: f.CoveredLines + f.NotCoveredLines, Covered: f.CoveredLines}
		for _, r := range f.NotCovered {
			fc.Uncovered = append(fc.Uncovered, Rows{r.Start.Row, r.End.Row})
		}
		slices.SortFunc(fc.Uncovered, func(a, b Rows) int {
			return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last))
		})
		fc.Uncovered = slices.Compact(fc.Uncovered)
		out.Lines += fc.Lines
		out.Covered += fc.Covered
		out.Files = append(out.Files, fc)
	}
	slices.SortFunc(out.Files, func(a, b FileCoverage) int { return cmp.Compare(a.File, b.File) })
	return out
}
