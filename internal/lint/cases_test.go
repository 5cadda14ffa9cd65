package lint

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// cases are the modules of the files testdata/CODE/NAME.rego by their code: further forms beside the example of the
// page. A line "# ---" is between two.
func cases(t *testing.T, name string) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("testdata/*/" + name)
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	out := map[string][]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code := filepath.Base(filepath.Dir(file))
		if levels()[code] == "" {
			t.Errorf("%s is about no rule", file)
		}
		out[code] = strings.Split(string(text), "\n# ---\n")
	}
	return out
}

func TestRules_FindEachForm(t *testing.T) {
	for code, texts := range cases(t, "found.rego") {
		for _, text := range texts {
			if got := codesOf(linted(t, text).Findings); !slices.Contains(got, code) {
				t.Errorf("%s: found %v in:\n%s", code, got, text)
			}
		}
	}
}

func TestRules_LeaveAloneWhatIsNone(t *testing.T) {
	for code, texts := range cases(t, "passed.rego") {
		for _, text := range texts {
			if got := codesOf(linted(t, text).Findings); slices.Contains(got, code) {
				t.Errorf("%s: found in:\n%s", code, text)
			}
		}
	}
}
