package rego_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

func TestFormattingKeepsWhatAFileSays(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"imports are sorted": {"package a\nimport data.z\nimport data.b\nx if z == b\n",
			"package a\n\nimport data.b\nimport data.z\n\nx if z == b\n"},
		"lines end in a line feed":   {"package a\r\n\r\n# c\r\nx := 1\r\n", "package a\n\n# c\nx := 1\n"},
		"a raw string keeps its own": {"package a\nx := `a\r\nb`\n", "package a\n\nx := `a\r\nb`\n"},
		"a byte order mark is gone":  {"\xef\xbb\xbfpackage a\nx = 1\n", "package a\n\nx := 1\n"},
		"and metadata after it stay": {"\xef\xbb\xbf# METADATA\n# title: A\npackage a\nx = 1\n",
			"# METADATA\n# title: A\npackage a\n\nx := 1\n"},
		"true bodies are left out": {"package a\nx if true", "package a\n\nx := true\n"},
	} {
		got, problems := rego.Format("a.rego", []byte(c.text))
		if len(problems) > 0 || string(got) != c.want {
			t.Errorf("%s: got %q, %v", name, got, problems)
		}
	}
}

func TestATextThatIsFormattedStaysTheSame(t *testing.T) {
	root := os.DirFS("../../..")
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".rego") || strings.Contains(path, "testdata") {
			return err
		}
		raw, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		once, problems := rego.Format(path, raw)
		twice, more := rego.Format(path, once)
		if len(problems)+len(more) > 0 || string(once) != string(twice) {
			t.Errorf("%s: %v %v", path, problems, more)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestATextThatFormattingWouldChangeInMeaningIsRefused(t *testing.T) {
	_, problems := rego.Format("a.rego", []byte("package a\n\nx if plus(1, 2, 3)\n"))
	if len(problems) != 1 || problems[0].Code != rego.CodeFormat {
		t.Errorf("got %v", problems)
	}
}
