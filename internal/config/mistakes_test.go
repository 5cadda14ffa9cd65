package config

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

var update = flag.Bool("update", false, "write the messages of testdata anew")

// TestEachMistakeIsAnsweredWithItsPlaceItsCauseAndWhatToDo compares testdata/mistakes.golden, which says what its
// lines mean, with what Parse says.
func TestEachMistakeIsAnsweredWithItsPlaceItsCauseAndWhatToDo(t *testing.T) {
	page, err := filepath.Abs("testdata/mistakes.golden")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, mistakes, _ := strings.Cut(string(text), "\n== ")
	inDirectory(t)
	mkdir(t, "folder")
	testkit.WriteFile(t, "empty", "\n")
	written := head
	for mistake := range strings.SplitSeq(mistakes, "\n== ") {
		title, rest, _ := strings.Cut(mistake, "\n")
		src, want, _ := strings.Cut("\n"+rest, "\n--\n")
		got := answerTo(t, strings.TrimPrefix(src+"\n", "\n"))
		written += "\n== " + title + src + "\n--\n" + got + "\n"
		if strings.TrimSpace(want) != got && !*update {
			t.Errorf("%s:\n%s\nwant\n%s", title, got, strings.TrimSpace(want))
		}
		if !strings.Contains(got, "hint: ") || strings.Contains(got, "hunter2") {
			t.Errorf("%s: no hint, or a secret, in %s", title, got)
		}
	}
	if *update {
		testkit.WriteFile(t, page, written)
	}
}

// answerTo is what is said of the file and the variables of a mistake.
func answerTo(t *testing.T, mistake string) string {
	t.Helper()
	var environ []string
	for strings.HasPrefix(mistake, "$ ") {
		variable, rest, _ := strings.Cut(strings.TrimPrefix(mistake, "$ "), "\n")
		environ, mistake = append(environ, variable), rest
	}
	src := strings.NewReplacer("@issuer\n", oneIssuer, "␉", "\t", "␍", "\r", "␂", "\uFEFF", "␣", "\u00A0", "␀",
		"\x00").Replace(mistake)
	if _, err := Parse("sidecar.yaml", []byte(src), environ); err != nil {
		// Lists of keys and words grow, and other tests compare them.
		return regexp.MustCompile(`(the keys (here )?are|is not one of) .*`).ReplaceAllString(err.Error(), "$1 ...")
	}
	return "accepted"
}
