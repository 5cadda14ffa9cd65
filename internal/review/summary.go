package review

import (
	"fmt"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/doctor"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/lint"
)

// Summary counts what was reviewed and what was found.
type Summary struct {
	// Loads is true when the sidecar would serve. Where policies do not load, only findings are counted.
	Loads bool `json:"loads"`
	// Digest is what /v1/status shows for the same policies, and Revision likewise.
	Digest      string   `json:"digest,omitempty"`
	Revision    string   `json:"revision,omitempty"`
	Entrypoints []string `json:"entrypoints"`
	// Modules and Rules do not count those of the embedded library.
	Modules int `json:"modules"`
	Rules   int `json:"rules"`
	Routes  int `json:"routes"`
	// Tests are Rego tests, Cases are those of suites.
	Tests int `json:"tests"`
	Cases int `json:"cases"`
	// Errors, Warnings and Notes are the findings of each level. Unformatted are those of the notes that are about
	// format.
	Errors      int `json:"errors"`
	Warnings    int `json:"warnings"`
	Notes       int `json:"notes"`
	Unformatted int `json:"unformatted"`
	Silenced    int `json:"silenced"`
	// Faults and Doubts are those at the authorization servers, where these were asked.
	Faults int `json:"faults"`
	Doubts int `json:"doubts"`
}

func summaryOf(set *bundle.Set, policy *engine.Policy, cfg *config.Config) Summary {
	s := Summary{Digest: policy.Digest(), Revision: policy.Revision(), Entrypoints: policy.Entrypoints()}
	modules, _, _ := rego.ParseReadable(set, cfg.EngineConfig().Rego(), rego.WithoutTests)
	for _, b := range set.Bundles {
		if b.Embedded {
			continue
		}
		s.Modules += len(b.Modules)
		for _, f := range b.Modules {
			if m := modules[f.Path]; m != nil {
				s.Rules += len(m.Rules)
			}
		}
	}
	eachRoute(set, func([]string, any) { s.Routes++ })
	return s
}

// count counts findings by their level.
func (s *Summary) count(findings []lint.Finding, silenced []lint.Silenced) {
	s.Silenced = len(silenced)
	for _, f := range findings {
		switch f.Level {
		case lint.Error:
			s.Errors++
		case lint.Warning:
			s.Warnings++
		case lint.Note:
			s.Notes++
		}
		if f.Code == CodeFormat {
			s.Unformatted++
		}
	}
}

// AddIssuers adds what was found at the authorization servers to the report.
func (r *Report) AddIssuers(issuers []Issuer) {
	r.Issuers = issuers
	for _, i := range issuers {
		r.Summary.Faults += doctor.Count(i.Findings, doctor.Fault)
		r.Summary.Doubts += doctor.Count(i.Findings, doctor.Doubt)
	}
}

// String is the summary on one line: what was found, and in what.
func (s Summary) String() string {
	var found []string
	if s.Errors+s.Warnings+s.Faults+s.Doubts == 0 {
		found = []string{"no problems found"}
	}
	for _, n := range []struct {
		n    int
		what string
	}{{s.Errors, "error"}, {s.Warnings, "warning"}, {s.Notes, "note"}, {s.Faults, "fault"},
		{s.Doubts, "doubt"}} {
		if n.n > 0 {
			found = append(found, plural(n.n, n.what))
		}
	}
	if s.Silenced > 0 {
		found = append(found, fmt.Sprintf("%d silenced", s.Silenced))
	}
	line := strings.Join(found, ", ")
	if !s.Loads {
		return line
	}
	in := []string{plural(s.Modules, "module"), plural(s.Rules, "rule"),
		plural(len(s.Entrypoints), "entrypoint") + " (" + strings.Join(s.Entrypoints, " ") + ")"}
	for _, n := range []struct {
		n    int
		what string
	}{{s.Routes, "route"}, {s.Tests, "test"}, {s.Cases, "case"}} {
		if n.n > 0 {
			in = append(in, plural(n.n, n.what))
		}
	}
	return line + ": " + strings.Join(append(in, "digest "+s.Digest), ", ")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
