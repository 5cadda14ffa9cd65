package lint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

const raw = "allow if input.request.raw_path == \"/a\""

// faults are the messages about what silences.
func faults(report Report) []string {
	var out []string
	for _, f := range report.Findings {
		if f.Code == codeIgnore {
			out = append(out, f.String())
		}
	}
	return out
}

func TestIgnore_TakesAFindingOutWithItsReason(t *testing.T) {
	for name, text := range map[string]string{
		"in the row above": "# sidecar: ignore raw-path: probes\n" + raw,
		"in the same row":  raw + " # sidecar: ignore raw-path: probes",
		"above other comments": "# sidecar: ignore raw-path: probes\n# A probe.\n#sidecar:ignore header-first-value: one\n" +
			"allow if {input.request.raw_path == \"/a\"; input.request.headers[\"x-a\"][0] == \"b\"}",
		"with ends of lines of Windows": "# sidecar: ignore raw-path: probes\r\n" + raw + "\r\n",
		"in the body":                   "allow if {\n\t# sidecar: ignore raw-path: probes\n\tinput.request.raw_path == \"/a\"\n}",
		"by metadata of the rule":       "# METADATA\n# custom: {ignore: {raw-path: probes}}\n" + raw,
		"by metadata of the package": "# METADATA\n# custom: {ignore: {raw-path: probes}}\npackage authz\n\n" + raw +
			"\n\nallow if input.request.raw_path == \"/b\"",
	} {
		report := linted(t, text)
		got := codesOf(report.Findings)
		if slices.Contains(got, "raw-path") || len(faults(report)) > 0 {
			t.Errorf("%s: found %v, %v", name, got, faults(report))
		}
		if len(report.Silenced) == 0 || report.Silenced[0].Reason != "probes" && report.Silenced[0].Reason != "one" {
			t.Errorf("%s: silenced %+v", name, report.Silenced)
		}
	}
}

func TestIgnore_IsAFindingItselfWhereItIsFaulty(t *testing.T) {
	for text, want := range map[string]string{
		"# sidecar: ignore raw-path\n" + raw:    ":3:1: faulty-ignore: raw-path is silenced without a reason",
		"# sidecar: ignore raw-path:  \n" + raw: ":3:1: faulty-ignore: raw-path is silenced without a reason",
		"# sidecar: ignore rawpath: x\n" + raw:  `:3:1: faulty-ignore: there is no code "rawpath"; did you mean "raw-path"?`,
		"# sidecar: ignore reference_error: x\n" + raw: `:3:1: faulty-ignore: there is no code "reference_error" of a ` +
			"finding that can be silenced",
		"# sidecar: ignore\n" + raw:                            ":3:1: faulty-ignore: names no code",
		"# sidecar: ignore all of it\n" + raw:                  ":3:1: faulty-ignore: names no code",
		"# sidecar: ignore raw-path: x\nallow if true\n":       ":3:1: faulty-ignore: no finding of raw-path is here",
		"# sidecar: ignore raw-path: x\n\n" + raw:              ":3:1: faulty-ignore: no finding of raw-path is here",
		raw + "\n# sidecar: ignore raw-path: x":                ":4:1: faulty-ignore: no finding of raw-path is here",
		"# METADATA\n# custom: {ignore: {raw-path: }}\n" + raw: "faulty-ignore: raw-path is silenced without a reason",
		"# METADATA\n# custom: {ignore: {raw-path: x}}\nallow if input.token.active\n\n" + raw: "faulty-ignore: no finding of " +
			"raw-path is here",
	} {
		got := faults(linted(t, text))
		if len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%s\n%q, want %q", text, got, want)
		}
	}
}

func TestIgnore_IsNoCommentThatOnlyMentionsIt(t *testing.T) {
	if got := faults(linted(t, "# How to: # sidecar: ignore CODE\nallow if input.token.active")); len(got) > 0 {
		t.Errorf("%v", got)
	}
}

func TestRun_OfAnEmbeddedLibraryReportsNothing(t *testing.T) {
	set := setOf("package authz\n\n" + raw)
	set.Bundles[0].Embedded = true
	report, err := Run(t.Context(), set, settings())
	if err != nil || len(report.Findings) > 0 {
		t.Errorf("%v, %v", report.Findings, err)
	}
}

func TestRun_OfModulesThatDoNotParseOrResolveFindsNothing(t *testing.T) {
	for _, text := range []string{
		"", "package authz\n\nallow if {", "\x00\x01", "package authz\n\nallow if input.x\nallow if { x := 1; x := 2 }",
		"package authz\n", "# only a comment",
	} {
		report, err := Run(t.Context(), setOf(text), settings())
		if err != nil || len(report.Findings) > 0 {
			t.Errorf("%q: %v, %v", text, report.Findings, err)
		}
	}
	if report, err := Run(t.Context(), &bundle.Set{}, settings()); err != nil || len(report.Findings) > 0 {
		t.Errorf("an empty set: %v, %v", report.Findings, err)
	}
}

func TestRun_EndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	if _, err := Run(ctx, setOf("package authz\n\n"+raw), settings()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestRun_SortsFindingsByFileAndPlace(t *testing.T) {
	set := setOf("package authz\n\n" + raw + "\n\n" + raw)
	set.Bundles[0].Modules = append(set.Bundles[0].Modules, bundle.File{Path: "policies/a.rego",
		Raw: []byte("package a\n\nx if input.request.raw_path")})
	report, err := Run(t.Context(), set, settings())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range report.Findings {
		if f.Code == "raw-path" {
			got = append(got, fmt.Sprintf("%s %d", f.File, f.Row))
		}
	}
	if strings.Join(got, " ") != "policies/a.rego 3 policies/authz.rego 3 policies/authz.rego 5" {
		t.Errorf("%q", got)
	}
}
