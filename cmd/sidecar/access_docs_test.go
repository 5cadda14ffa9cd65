package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestTheTranscriptsOfTheAccessPageAreTrue runs each "sidecar requires" of docs/access.md.
func TestTheTranscriptsOfTheAccessPageAreTrue(t *testing.T) {
	t.Chdir("../..")
	doc, err := os.ReadFile("docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, block := range strings.Split(string(doc), "```console\n$ sidecar ")[1:] {
		block, _, _ = strings.Cut(block, "```")
		command, want, _ := strings.Cut(block, "\n")
		if !strings.HasPrefix(command, "requires ") {
			continue // the matrix is shortened
		}
		var out, errs bytes.Buffer
		code := run(t.Context(), strings.Fields(command), streams{in: strings.NewReader(""), out: &out, err: &errs})
		if code != exitOK || out.String() != want {
			t.Errorf("%s: exit %d %s\n%s\nwant\n%s", command, code, &errs, &out, want)
		}
		ran++
	}
	if ran < 3 {
		t.Errorf("%d transcripts, want 3", ran)
	}
}
