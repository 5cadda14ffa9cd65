package reports

import (
	"io"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/change"
	"github.com/authz-sidecar/sidecar/internal/engine/meaning"
	"github.com/authz-sidecar/sidecar/internal/page"
	"github.com/authz-sidecar/sidecar/internal/sarif"
)

// The most characters of a message and of a line of its details.
const (
	mostMessage = 2_000
	mostDetail  = 500
)

// WriteSARIF writes the findings of a review as a log of SARIF 2.1.0. version is that of the program. Locations are in
// the new version; a finding that was reviewed is suppressed.
func WriteSARIF(w io.Writer, c *change.Change, version string) error {
	files := newFiles(c)
	var all []sarif.Finding
	for _, f := range c.Findings {
		out := sarif.Finding{Rule: sarifRule(f.Kind), Level: string(f.Level), Message: message(f), Fingerprint: f.ID}
		for _, p := range f.Places {
			if p.File != "" {
				out.Places = append(out.Places, sarif.Place{File: p.File, Row: p.Row})
			}
		}
		for _, p := range f.Gone {
			if len(f.Places) == 0 && len(out.Places) == 0 && files[p.File] {
				out.Places = []sarif.Place{{File: p.File}}
			}
		}
		if f.Allowed {
			out.Suppressed = &sarif.Suppression{Kind: "external", Justification: "reviewed: " + f.ID}
		}
		all = append(all, out)
	}
	return sarif.Write(w, version, all)
}

// sarifRule has an ID that platforms recognize findings by: it does not change.
func sarifRule(k change.Kind) sarif.Rule {
	known := map[change.Kind][2]string{
		change.KindProblem:  {"does-not-compile", "The new version does not compile"},
		change.KindWider:    {"wider", "A request that was denied is allowed"},
		change.KindReach:    {"network", "Policies newly reach the network or the machine"},
		change.KindDeny:     {"deny-removed", "What denied a request is gone"},
		change.KindTest:     {"test-broken", "A test fails, is gone, or was changed with the rule that it tests"},
		change.KindInput:    {"reads-input", "Policies read a member of the input or of data that they did not read"},
		change.KindSettings: {"settings-changed", "An entrypoint or the configuration differs"},
		change.KindData:     {"data-changed", "Data that rules read differ"},
		change.KindNarrower: {"narrower", "A request that was allowed is denied"},
		change.KindAnswer:   {"answer-changed", "A request is answered otherwise, and allowed or denied as before"},
		change.KindBuiltin:  {"builtin-called", "Policies call a builtin that they did not call"},
		change.KindCheck:    {"check-finding", "sidecar check finds something new"},
		change.KindRule:     {"rule-changed", "A rule was added, removed or changed"},
		change.KindLess:     {"no-longer", "Policies read, reach or call less"},
		change.KindForm:     {"form-changed", "Format, comments or places of rules differ"},
	}
	if r, ok := known[k]; ok {
		return sarif.Rule{ID: r[0], Title: r[1]}
	}
	return sarif.Rule{ID: string(k)}
}

// message is a finding as plain text, a line each for its details and for places of the old version.
func message(f change.Finding) string {
	lines := []string{page.Visible(f.Title, mostMessage)}
	for _, d := range f.Details {
		lines = append(lines, page.Visible(d, mostDetail))
	}
	for i, p := range f.Gone {
		if i == 5 {
			break
		}
		lines = append(lines, "was at "+page.Visible(at(p.File, p.Row), mostDetail))
	}
	return strings.Join(lines, "\n")
}

// newFiles are files that the new version is known to have.
func newFiles(c *change.Change) map[string]bool {
	out := map[string]bool{}
	add := func(places []meaning.Place) {
		for _, p := range places {
			out[p.File] = true
		}
	}
	for _, f := range c.Findings {
		add(f.Places)
	}
	for _, r := range c.Rules {
		if r.New != nil {
			out[r.New.File] = true
		}
	}
	delete(out, "")
	return out
}
