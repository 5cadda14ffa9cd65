package lint

import (
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/docs/rules"
)

// noted are the notes that an example of another rule may have, for the sake of its length.
var noted = []string{"missing-metadata", "no-defined-entrypoint"}

func TestPages_EachShowsWhatItsRuleFindsAndWhatIsBetter(t *testing.T) {
	for _, r := range Rules() {
		t.Run(r.Code, func(t *testing.T) {
			bad, good := examples(t, r.Code)
			if got := codesOf(linted(t, bad).Findings); !slices.Contains(got, r.Code) {
				t.Errorf("found: %v", got)
			}
			got := codesOf(linted(t, good).Findings)
			got = slices.DeleteFunc(got, func(code string) bool {
				return code != r.Code && slices.Contains(noted, code)
			})
			if len(got) > 0 {
				t.Errorf("better: found %v", got)
			}
		})
	}
}

func TestPages_EachFindingIsSilencedByACommentWithAReason(t *testing.T) {
	for _, r := range Rules() {
		if r.Code == codeIgnore {
			continue
		}
		t.Run(r.Code, func(t *testing.T) {
			bad, _ := examples(t, r.Code)
			text := module(bad)
			rows := map[int]bool{}
			for _, f := range linted(t, bad).Findings {
				if f.Code == r.Code {
					rows[f.Row] = true
				}
			}
			var out []string
			for i, line := range strings.Split(text, "\n") {
				if rows[i+1] {
					out = append(out, "# sidecar: ignore "+r.Code+": it is meant here")
				}
				out = append(out, line)
			}
			report := linted(t, strings.Join(out, "\n"))
			if slices.Contains(codesOf(report.Findings), r.Code) || len(report.Silenced) != len(rows) ||
				report.Silenced[0].Reason != "it is meant here" {
				t.Errorf("found %v, silenced %+v, want %d", codesOf(report.Findings), report.Silenced, len(rows))
			}
			if slices.Contains(codesOf(report.Findings), codeIgnore) {
				t.Errorf("%v", report.Findings)
			}
		})
	}
}

// examples are what a page shows as found, and as better.
func examples(t *testing.T, code string) (bad, good string) {
	t.Helper()
	page, ok := rules.Page(code)
	blocks := strings.Split(page, "```rego\n")
	if !ok || len(blocks) != 3 && code != codeIgnore || len(blocks) < 3 {
		t.Fatalf("the page of %s has %d examples", code, len(blocks)-1)
	}
	bad, _, _ = strings.Cut(blocks[1], "```")
	good, _, _ = strings.Cut(blocks[2], "```")
	return bad, good
}

// module is an example as a module.
func module(example string) string {
	if strings.Contains("\n"+example, "\npackage ") {
		return example
	}
	return "package authz\n\n" + example
}

func codesOf(found []Finding) []string {
	var codes []string
	for _, f := range found {
		codes = append(codes, f.Code)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}
