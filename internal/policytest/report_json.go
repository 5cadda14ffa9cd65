package policytest

import (
	"encoding/json"
	"io"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// The JSON of a Report. Names and meanings of members do not change.
type (
	jsonReport struct {
		Passed   int           `json:"passed"`
		Failed   int           `json:"failed"`
		Skipped  int           `json:"skipped"`
		Seconds  float64       `json:"seconds"`
		Tests    []jsonTest    `json:"tests"`
		Warnings []jsonProblem `json:"warnings,omitempty"`
		Coverage *jsonCoverage `json:"coverage,omitempty"`
	}
	jsonTest struct {
		Group   string   `json:"group"`
		Name    string   `json:"name"`
		File    string   `json:"file"`
		Row     int      `json:"row"`
		Outcome Outcome  `json:"outcome"`
		Seconds float64  `json:"seconds"`
		Output  []string `json:"output,omitempty"`
	}
	jsonProblem struct {
		File    string `json:"file"`
		Row     int    `json:"row,omitempty"`
		Col     int    `json:"col,omitempty"`
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	jsonCoverage struct {
		Percent float64     `json:"percent"`
		Minimum *float64    `json:"minimum,omitempty"`
		Lines   int         `json:"lines"`
		Covered int         `json:"covered"`
		Files   []jsonCover `json:"files"`
	}
	jsonCover struct {
		File      string     `json:"file"`
		Percent   float64    `json:"percent"`
		Lines     int        `json:"lines"`
		Covered   int        `json:"covered"`
		Uncovered []jsonRows `json:"uncovered,omitempty"`
	}
	jsonRows struct {
		First int `json:"first"`
		Last  int `json:"last"`
	}
)

// WriteJSON writes r as one JSON object, with the least coverage that was asked for, in percent, when minimum is not
// nil.
func (r Report) WriteJSON(w io.Writer, minimum *float64) error {
	out := jsonReport{Seconds: r.Took.Seconds(), Tests: []jsonTest{}, Warnings: jsonProblems(r.Warnings)}
	out.Passed, out.Failed, out.Skipped = r.count()
	for _, t := range r.Results {
		out.Tests = append(out.Tests, jsonTest{t.Group, t.Name, t.File, t.Row, t.Outcome, t.Took.Seconds(), t.Output})
	}
	if c := r.Coverage; c != nil {
		said := &jsonCoverage{Percent: c.Percent(), Minimum: minimum, Lines: c.Lines, Covered: c.Covered,
			Files: []jsonCover{}}
		for _, f := range c.Files {
			one := jsonCover{File: f.File, Percent: f.Percent(), Lines: f.Lines, Covered: f.Covered}
			for _, rows := range f.Uncovered {
				one.Uncovered = append(one.Uncovered, jsonRows(rows))
			}
			said.Files = append(said.Files, one)
		}
		out.Coverage = said
	}
	return writeJSON(w, out)
}

// WriteProblemsJSON writes the problems with which nothing runs as one JSON object.
func WriteProblemsJSON(w io.Writer, problems bundle.Problems) error {
	return writeJSON(w, struct {
		Problems []jsonProblem `json:"problems"`
	}{jsonProblems(problems)})
}

func jsonProblems(problems bundle.Problems) []jsonProblem {
	var out []jsonProblem
	for _, p := range problems {
		out = append(out, jsonProblem(p))
	}
	return out
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
