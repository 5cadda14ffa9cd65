package review

import (
	"io"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/docs/rules"
	"github.com/authz-sidecar/sidecar/internal/doctor"
	"github.com/authz-sidecar/sidecar/internal/lint"
)

// repository is where the pages of rules are found on the web.
const repository = "https://github.com/authz-sidecar/sidecar"

// The parts of SARIF 2.1.0 that are written (OASIS Standard, sections 3.13 to 3.52).
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		ColumnKind  string            `json:"columnKind"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string     `json:"id"`
		Short   sarifText  `json:"shortDescription"`
		Help    *sarifText `json:"help,omitempty"`
		HelpURI string     `json:"helpUri,omitempty"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifInvocation struct {
		// Successful says that the tool did its work, whatever it found.
		Successful bool `json:"executionSuccessful"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Level        lint.Level         `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations,omitempty"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Justification string `json:"justification,omitempty"`
	}
)

// WriteSARIF writes the report as a log of SARIF 2.1.0, for the platforms that show findings beside the code. version
// is that of the program.
func (r Report) WriteSARIF(w io.Writer, version string) error {
	driver := sarifDriver{Name: "sidecar", Version: version, InformationURI: repository, Rules: []sarifRule{}}
	results := []sarifResult{}
	add := func(f lint.Finding, suppressions []sarifSuppression) {
		i := slices.IndexFunc(driver.Rules, func(rule sarifRule) bool { return rule.ID == f.Code })
		if i < 0 {
			i = len(driver.Rules)
			driver.Rules = append(driver.Rules, sarifRuleOf(f.Code))
		}
		results = append(results, sarifResult{RuleID: f.Code, RuleIndex: i, Level: f.Level,
			Message: sarifText{Text: f.Message}, Locations: sarifLocations(f), Suppressions: suppressions})
	}
	for _, f := range r.Findings {
		add(f, nil)
	}
	for _, f := range r.Silenced {
		add(f.Finding, []sarifSuppression{{Kind: "inSource", Justification: f.Reason}})
	}
	for _, i := range r.Issuers {
		for _, f := range i.Findings {
			if level := levelOf(f.Level); level != "" {
				found := lint.Finding{Level: level}
				found.Code, found.Message = "issuer/"+f.Check, message("issuer "+i.Name, f.Says, f.Do)
				add(found, nil)
			}
		}
	}
	return writeIndented(w, sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0",
		Runs: []sarifRun{{Tool: sarifTool{driver}, Invocations: []sarifInvocation{{true}},
			ColumnKind: "unicodeCodePoints", Results: results}},
	})
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

func sarifRuleOf(code string) sarifRule {
	rule := sarifRule{ID: code, Short: sarifText{Text: code}}
	page, ok := rules.Page(code)
	if !ok {
		return rule
	}
	if title := titleOf(page); title != "" {
		rule.Short.Text = title
	}
	rule.Help = &sarifText{Text: page, Markdown: page}
	rule.HelpURI = repository + "/blob/main/" + pageOf(code)
	return rule
}

// titleOf is the heading of a page.
func titleOf(page string) string {
	first, _, _ := strings.Cut(page, "\n")
	return strings.TrimSpace(strings.TrimLeft(first, "#"))
}

// sarifLocations is the place of a finding; none for one that is in no file.
func sarifLocations(f lint.Finding) []sarifLocation {
	if !inFile(f.File) {
		return nil
	}
	at := url.URL{Path: f.File}
	if path.IsAbs(f.File) {
		at.Scheme = "file"
	}
	physical := sarifPhysical{Artifact: sarifArtifact{at.String()}}
	if f.Row > 0 {
		physical.Region = &sarifRegion{f.Row, max(1, f.Col)}
	}
	return []sarifLocation{{physical}}
}

// inFile reports whether the place of a finding is a file: a variable of the environment is none.
func inFile(name string) bool {
	return name != "" && name != noFile && !strings.HasPrefix(name, environment)
}
