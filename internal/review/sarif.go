package review

import (
	"io"
	"strings"

	"github.com/authz-sidecar/sidecar/docs/rules"
	"github.com/authz-sidecar/sidecar/internal/doctor"
	"github.com/authz-sidecar/sidecar/internal/lint"
	"github.com/authz-sidecar/sidecar/internal/sarif"
)

// WriteSARIF writes the report as a log of SARIF 2.1.0. version is that of the program.
func (r Report) WriteSARIF(w io.Writer, version string) error {
	var all []sarif.Finding
	for _, f := range r.Findings {
		all = append(all, sarifFinding(f))
	}
	for _, f := range r.Silenced {
		silenced := sarifFinding(f.Finding)
		silenced.Suppressed = &sarif.Suppression{Kind: "inSource", Justification: f.Reason}
		all = append(all, silenced)
	}
	for _, i := range r.Issuers {
		for _, f := range i.Findings {
			if level := levelOf(f.Level); level != "" {
				found := lint.Finding{Level: level}
				found.Code, found.Message = "issuer/"+f.Check, message("issuer "+i.Name, f.Says, f.Do)
				all = append(all, sarifFinding(found))
			}
		}
	}
	return sarif.Write(w, version, all)
}

// levelOf is the level of what was found at an authorization server; "" for what is well.
func levelOf(level doctor.Level) lint.Level {
	switch level {
	case doctor.Fault:
		return lint.Error
	case doctor.Doubt:
		return lint.Warning
	}
	return ""
}

func sarifFinding(f lint.Finding) sarif.Finding {
	out := sarif.Finding{Rule: sarifRule(f.Code), Level: string(f.Level), Message: f.Message}
	if inFile(f.File) {
		out.Places = []sarif.Place{{File: f.File, Row: f.Row, Col: f.Col}}
	}
	return out
}

func sarifRule(code string) sarif.Rule {
	rule := sarif.Rule{ID: code}
	if page, ok := rules.Page(code); ok {
		rule.Title, rule.Page, rule.URI = titleOf(page), page, sarif.Repository+"/blob/main/"+pageOf(code)
	}
	return rule
}

// titleOf is the heading of a page.
func titleOf(page string) string {
	first, _, _ := strings.Cut(page, "\n")
	return strings.TrimSpace(strings.TrimLeft(first, "#"))
}

// inFile reports whether the place of a finding is a file: a variable of the environment is none.
func inFile(name string) bool {
	return name != "" && name != noFile && !strings.HasPrefix(name, environment)
}
