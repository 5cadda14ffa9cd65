package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestTheCommandsInTheTableOfTestingRun: TestDocs runs the blocks of the page; this runs its table of commands.
func TestTheCommandsInTheTableOfTestingRun(t *testing.T) {
	page := testkit.ReadFile(t, "../../docs/testing.md")
	t.Chdir(t.TempDir())
	for _, b := range blocksOf("docs/testing.md", page) {
		if b.file() != "" {
			testkit.WriteFile(t, b.file(), b.text)
		}
	}
	ran := 0
	for _, m := range regexp.MustCompile("(?m)^\\| `sidecar (test [^`]+)` \\|").FindAllStringSubmatch(page, -1) {
		args := strings.Fields(strings.ReplaceAll(strings.Split(m[1], " > ")[0], "'", ""))
		if strings.Contains(m[1], "--watch") || strings.Contains(m[1], "bundles/") {
			continue // do not end, or are about another folder
		}
		ran++
		if code, out, errs := sidecar(t, "", args...); code != exitOK {
			t.Errorf("%v: exit %d: %s%s", args, code, out, errs)
		}
	}
	if ran < 5 {
		t.Errorf("%d commands were found", ran)
	}
}
