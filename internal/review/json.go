package review

import (
	"encoding/json"
	"io"

	"github.com/authz-sidecar/sidecar/docs/rules"
	"github.com/authz-sidecar/sidecar/internal/doctor"
	"github.com/authz-sidecar/sidecar/internal/lint"
)

// jsonReport is a Report as JSON. Members are added in later versions, and none changes its meaning.
type jsonReport struct {
	Problems []jsonFinding  `json:"problems"`
	Silenced []jsonSilenced `json:"silenced"`
	Issuers  []jsonIssuer   `json:"issuers,omitempty"`
	Summary  Summary        `json:"summary"`
}

// jsonFinding is a finding. Row and Col count from 1; without them the file as a whole is meant.
type jsonFinding struct {
	File    string     `json:"file"`
	Row     int        `json:"row,omitempty"`
	Col     int        `json:"col,omitempty"`
	Code    string     `json:"code"`
	Level   lint.Level `json:"level"`
	Message string     `json:"message"`
	// Page is where the code is explained, in the repository; "sidecar rules CODE" prints it.
	Page string `json:"page,omitempty"`
}

// jsonSilenced is a finding that the author has looked at, and why it is none.
type jsonSilenced struct {
	jsonFinding
	Reason string `json:"reason"`
}

func jsonFindingOf(f lint.Finding) jsonFinding {
	return jsonFinding{f.File, f.Row, f.Col, f.Code, f.Level, f.Message, pageOf(f.Code)}
}

// jsonIssuer is what an authorization server answered.
type jsonIssuer struct {
	Name     string         `json:"name"`
	Findings []JSONExamined `json:"findings"`
}

// JSONExamined is a finding at an authorization server, or about a token.
type JSONExamined struct {
	Level doctor.Level `json:"level"`
	Check string       `json:"check"`
	Says  string       `json:"says"`
	Do    string       `json:"do,omitempty"`
}

// WriteJSON writes the report as one JSON object.
func (r Report) WriteJSON(w io.Writer) error {
	out := jsonReport{Problems: []jsonFinding{}, Silenced: []jsonSilenced{}, Summary: r.Summary}
	for _, f := range r.Findings {
		out.Problems = append(out.Problems, jsonFindingOf(f))
	}
	for _, f := range r.Silenced {
		out.Silenced = append(out.Silenced, jsonSilenced{jsonFindingOf(f.Finding), f.Reason})
	}
	for _, i := range r.Issuers {
		out.Issuers = append(out.Issuers, jsonIssuer{i.Name, Examined(i.Findings)})
	}
	if out.Summary.Entrypoints == nil {
		out.Summary.Entrypoints = []string{}
	}
	return writeIndented(w, out)
}

// Examined are findings as JSON has them; never nil.
func Examined(findings []doctor.Finding) []JSONExamined {
	out := []JSONExamined{}
	for _, f := range findings {
		out = append(out, JSONExamined{f.Level, f.Check, f.Says, f.Do})
	}
	return out
}

func writeIndented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// pageOf is the file of the page about a code, or "".
func pageOf(code string) string {
	if _, ok := rules.Page(code); !ok {
		return ""
	}
	return "docs/rules/" + code + ".md"
}
