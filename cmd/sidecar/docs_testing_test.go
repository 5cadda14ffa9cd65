package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestThePageAboutTestingIsTrue: the files of docs/testing.md pass, what it prints is printed, and its commands run.
func TestThePageAboutTestingIsTrue(t *testing.T) {
	raw, err := os.ReadFile("../../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	page, folder := string(raw), t.TempDir()
	t.Chdir(folder)
	t.Setenv("SIDECAR_ENGINE_DEADLINE", "20s")
	files := map[string]string{}
	for _, m := range regexp.MustCompile("(?ms)^```\\w+ (\\S+/\\S+)\n(.*?)^```").FindAllStringSubmatch(page, -1) {
		files[m[1]] = m[2]
	}
	if len(files) != 3 {
		t.Fatalf("the page has %d files", len(files))
	}
	testkit.WriteFiles(t, folder, files)
	shown := func(command string) []string {
		t.Helper()
		_, after, ok := strings.Cut(page, "$ "+command+"\n")
		if !ok {
			t.Fatalf("the page does not show %s", command)
		}
		block, _, _ := strings.Cut(after, "```")
		return strings.Split(strings.TrimSpace(block), "\n")
	}
	expect := func(code, want int, out string, lines []string) {
		t.Helper()
		if code != want {
			t.Errorf("exit %d: %s", code, out)
		}
		for _, line := range lines {
			line, _, _ = strings.Cut(line, ", in ") // the time differs
			if !strings.Contains(out, line) {
				t.Errorf("the page says %q, the command says:\n%s", line, out)
			}
		}
	}
	code, out, errs := sidecar(t, "", "test")
	expect(code, exitOK, out+errs, shown("sidecar test"))
	for _, m := range regexp.MustCompile("(?m)^\\| `sidecar (test [^`]+)` \\|").FindAllStringSubmatch(page, -1) {
		args := strings.Fields(strings.ReplaceAll(strings.Split(m[1], " > ")[0], "'", ""))
		if strings.Contains(m[1], "--watch") || strings.Contains(m[1], "bundles/") {
			continue // do not end, or are about another folder
		}
		if code, out, errs := sidecar(t, "", args...); code != exitOK {
			t.Errorf("%v: exit %d: %s%s", args, code, out, errs)
		}
	}
	testkit.WriteFiles(t, folder, map[string]string{"policy_test/orders_suite.yaml": strings.Replace(
		files["policy_test/orders_suite.yaml"], "reader: insufficient_scope", "reader: allow", 1)})
	code, out, errs = sidecar(t, "", "test", "--run", "writes")
	expect(code, exitTestsFailed, out+errs, shown("sidecar test --run writes"))
}
