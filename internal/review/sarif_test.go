package review_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/doctor"
	"github.com/authz-sidecar/sidecar/internal/lint"
	"github.com/authz-sidecar/sidecar/internal/review"
	"github.com/authz-sidecar/sidecar/internal/testkit/sariflog"
)

// log is what a test reads of a SARIF log.
type log struct {
	Runs []struct {
		Tool struct {
			Driver struct {
				Rules []struct{ ID, HelpURI string }
			}
		}
		Results []struct {
			RuleID    string
			RuleIndex int
			Level     string
			Locations []struct {
				PhysicalLocation struct {
					ArtifactLocation struct{ URI string }
					Region           *struct{ StartLine, StartColumn int }
				}
			}
			Suppressions []struct{ Kind, Justification string }
		}
	}
}

// TestSARIFIsWhatTheStandardAsks validates logs against the JSON Schema of SARIF 2.1.0.
func TestSARIFIsWhatTheStandardAsks(t *testing.T) {
	for name, r := range map[string]review.Report{
		"nothing": {}, "findings": findings(),
		"servers": {Issuers: []review.Issuer{{Name: "a", Findings: []doctor.Finding{
			{Check: "keys", Level: doctor.Good, Says: "fine"},
			{Check: "clock", Level: doctor.Doubt, Says: "late", Do: "look"},
			{Check: "metadata", Level: doctor.Fault, Says: "gone"},
		}}}},
	} {
		if broken := sariflog.Invalid(t, written(t, r)); len(broken) > 0 {
			t.Errorf("%s: %v", name, broken)
		}
	}
}

func TestSARIFNamesRulesPlacesAndLevels(t *testing.T) {
	var l log
	if err := json.Unmarshal(written(t, findings()), &l); err != nil {
		t.Fatal(err)
	}
	run := l.Runs[0]
	if len(run.Results) != 6 || len(run.Tool.Driver.Rules) != 4 {
		t.Fatalf("got %d results of %d rules", len(run.Results), len(run.Tool.Driver.Rules))
	}
	for _, r := range run.Results {
		if id := run.Tool.Driver.Rules[r.RuleIndex].ID; id != r.RuleID {
			t.Errorf("index of %s leads to %s", r.RuleID, id)
		}
	}
	first, spaced, whole, rooted, nowhere := run.Results[0], run.Results[1], run.Results[2], run.Results[3],
		run.Results[4]
	at := first.Locations[0].PhysicalLocation
	if first.Level != "error" || at.ArtifactLocation.URI != "policies/a.rego" || at.Region.StartLine != 3 ||
		at.Region.StartColumn != 6 {
		t.Errorf("got %+v", first)
	}
	if uri := spaced.Locations[0].PhysicalLocation.ArtifactLocation.URI; uri != "policies/a%20b%25.rego" {
		t.Errorf("got %s", uri)
	}
	if whole.Level != "note" || whole.Locations[0].PhysicalLocation.Region != nil {
		t.Errorf("got %+v", whole)
	}
	if uri := rooted.Locations[0].PhysicalLocation.ArtifactLocation.URI; uri != "file:///etc/p.rego" {
		t.Errorf("got %s", uri)
	}
	if len(nowhere.Locations) != 0 || len(nowhere.Suppressions) != 0 {
		t.Errorf("got %+v", nowhere)
	}
	by := run.Results[5].Suppressions
	if len(by) != 1 || by[0].Kind != "inSource" || by[0].Justification != "as logged" {
		t.Errorf("got %+v", by)
	}
	rule := run.Tool.Driver.Rules[run.Results[5].RuleIndex]
	if !strings.HasSuffix(rule.HelpURI, "/docs/rules/raw-path.md") {
		t.Errorf("got %+v", rule)
	}
}

// findings are of each kind of place and level.
func findings() review.Report {
	finding := func(file string, row, col int, code string, level lint.Level) lint.Finding {
		p := bundle.Problem{File: file, Row: row, Col: col, Code: code, Message: "a < b"}
		return lint.Finding{Problem: p, Level: level}
	}
	silenced := lint.Silenced{Finding: finding("policies/a.rego", 9, 2, "raw-path", lint.Warning), Reason: "as logged"}
	return review.Report{Silenced: []lint.Silenced{silenced}, Findings: []lint.Finding{
		finding("policies/a.rego", 3, 6, "rego_type_error", lint.Error),
		finding("policies/a b%.rego", 1, 1, "rego_type_error", lint.Warning),
		finding("policies/c.rego", 0, 0, review.CodeFormat, lint.Note),
		finding("/etc/p.rego", 2, 0, review.CodeFormat, lint.Note),
		finding("environment SIDECAR_LISTEN_API", 0, 0, "configuration_error", lint.Error),
	}}
}

func written(t *testing.T, r review.Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteSARIF(&b, "1.0.0"); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
