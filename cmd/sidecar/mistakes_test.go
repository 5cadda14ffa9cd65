package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const soundPolicy = `# METADATA
# title: shop
package authz

import data.sidecar.scopes

# METADATA
# title: decides
# entrypoint: true
default decision := {"allow": false}

decision := {"allow": true} if allow

allow if {
	input.request.method == "GET"
	scopes.granted(["read"])
}
`

// TestEachPolicyMistakeIsAnsweredWithItsPlaceAndWhatToDo compares testdata/policy_mistakes.golden, which says what its
// lines mean, with what check says.
func TestEachPolicyMistakeIsAnsweredWithItsPlaceAndWhatToDo(t *testing.T) {
	page, err := filepath.Abs("testdata/policy_mistakes.golden")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	routes, err := templates.ReadFile("template/decision.rego")
	if err != nil {
		t.Fatal(err)
	}
	stands := strings.NewReplacer("@sound\n", "> policies/authz.rego\n"+soundPolicy,
		"@routes\n", "> policies/authz.rego\n"+string(routes))
	head, mistakes, _ := strings.Cut(string(text), "\n== ")
	written := head
	for mistake := range strings.SplitSeq(mistakes, "\n== ") {
		title, rest, _ := strings.Cut(mistake, "\n")
		files, want, _ := strings.Cut(rest, "--\n")
		got := answerTo(t, stands.Replace(files))
		written += "\n== " + title + "\n" + files + "--\n" + got + "\n"
		if got != strings.TrimSpace(want) && !*update || !strings.HasPrefix(got, "policies/") &&
			!strings.HasPrefix(got, "configuration: ") {
			t.Errorf("%s:\n%s\nwant\n%s", title, got, want)
		}
	}
	if *update {
		testkit.WriteFile(t, page, written)
	}
}

// answerTo is what check says of the files of a mistake.
func answerTo(t *testing.T, mistake string) string {
	t.Helper()
	t.Chdir(t.TempDir())
	for file := range strings.SplitSeq("\n"+mistake, "\n> ") {
		if name, content, _ := strings.Cut(file, "\n"); name != "" {
			testkit.WriteFile(t, name, content+"\n")
		}
	}
	_, out, _ := sidecar(t, "", "check", "policies")
	var findings []string
	for line := range strings.Lines(out) {
		if !strings.Contains(line, " missing-metadata: ") && !strings.Contains(line, " not-formatted: ") {
			findings = append(findings, strings.TrimSpace(line))
		}
	}
	return strings.Join(findings, "\n")
}
