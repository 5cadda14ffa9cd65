package sidecarclient_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

var goBlock = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// TestTheGoOfTheGuideIsThatOfTheExamples: what readers paste compiles, and is run by this package's tests.
func TestTheGoOfTheGuideIsThatOfTheExamples(t *testing.T) {
	var sources strings.Builder
	for _, pattern := range []string{"*_test.go", "sidecarecho/*_test.go", "internal/tutorial/main.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range names {
			sources.WriteString(flush(testkit.ReadFile(t, name)))
		}
	}
	found := 0
	for _, page := range []string{"../docs/clients.md", "../docs/tutorial.md", "../README.md"} {
		for _, m := range goBlock.FindAllStringSubmatch(testkit.ReadFile(t, page), -1) {
			found++
			if !strings.Contains(sources.String(), flush(m[1])) {
				t.Errorf("%s: no example has the lines\n%s", page, m[1])
			}
		}
	}
	if found < 6 {
		t.Errorf("%d blocks of Go were found", found)
	}
}

// flush moves every line to the left margin: an example is indented, a block of a page is not.
func flush(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimLeft(line, "\t "))
	}
	return b.String()
}
