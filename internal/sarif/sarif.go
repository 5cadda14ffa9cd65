// Package sarif writes findings as logs of SARIF 2.1.0 (OASIS Standard), for the platforms that show findings beside
// the code.
package sarif

import (
	"encoding/json"
	"io"
	"net/url"
	"path"
	"slices"
)

// Repository is where the program and the pages of its rules are found on the web.
const Repository = "https://github.com/authz-sidecar/sidecar"

// Rule is what findings have in common.
type Rule struct {
	// ID is stable: platforms recognize findings by it.
	ID string
	// Title is one line; that of "" is the ID. Page explains the rule, as Markdown, and URI is where it is on the web;
	// both may be empty.
	Title, Page, URI string
}

// Finding is a result.
type Finding struct {
	Rule Rule
	// Level is "error", "warning" or "note".
	Level string
	// Message is plain text.
	Message string
	// Places are where, the first above all; none for what is in no file.
	Places []Place
	// Suppressed is set where the finding does not count.
	Suppressed *Suppression
	// Fingerprint tells the finding from others when lines have moved; "" for none.
	Fingerprint string
}

// Place is a file, and a position in it, from 1; without Row the file as a whole is meant.
type Place struct {
	File     string
	Row, Col int
}

// Suppression is why a finding does not count. Kind is "inSource", or "external" where the code does not say so.
type Suppression struct{ Kind, Justification string }

// Write writes findings as a log. version is that of the program.
func Write(w io.Writer, version string, findings []Finding) error {
	d := driver{Name: "sidecar", Version: version, InformationURI: Repository, Rules: []rule{}}
	results := []result{}
	for _, f := range findings {
		i := slices.IndexFunc(d.Rules, func(r rule) bool { return r.ID == f.Rule.ID })
		if i < 0 {
			i = len(d.Rules)
			d.Rules = append(d.Rules, ruleOf(f.Rule))
		}
		results = append(results, resultOf(f, i))
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(log{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0",
		Runs: []run{{Tool: tool{d}, Invocations: []invocation{{true}}, ColumnKind: "unicodeCodePoints",
			Results: results}},
	})
}

func ruleOf(r Rule) rule {
	out := rule{ID: r.ID, Short: text{Text: r.ID}, HelpURI: r.URI}
	if r.Title != "" {
		out.Short.Text = r.Title
	}
	if r.Page != "" {
		out.Help = &text{Text: r.Page, Markdown: r.Page}
	}
	return out
}

func resultOf(f Finding, index int) result {
	out := result{RuleID: f.Rule.ID, RuleIndex: index, Level: f.Level, Message: text{Text: f.Message}}
	for i, p := range f.Places {
		if i == 0 {
			out.Locations = append(out.Locations, locationOf(p))
		} else {
			out.Related = append(out.Related, locationOf(p))
		}
	}
	if s := f.Suppressed; s != nil {
		out.Suppressions = []suppression{{s.Kind, s.Justification}}
	}
	if f.Fingerprint != "" {
		out.Fingerprints = map[string]string{"sidecarFinding/v1": f.Fingerprint}
	}
	return out
}

func locationOf(p Place) location {
	at := url.URL{Path: p.File}
	if path.IsAbs(p.File) {
		at.Scheme = "file"
	}
	physical := physical{Artifact: artifact{at.String()}}
	if p.Row > 0 {
		physical.Region = &region{p.Row, max(1, p.Col)}
	}
	return location{physical}
}
