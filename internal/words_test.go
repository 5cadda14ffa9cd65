package internal_test

import (
	"io/fs"
	"iter"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// vague are pronouns for clients, servers and operators, and a verb that is not the field's own, as words and within
// names of Go. The thing itself is the better subject: a client, a token without audience, an operator. Their first
// letters stand apart for the sake of this file.
var vague = regexp.MustCompile(`(\b[Nn]|[a-z_]N)` + `obody(\b|[A-Z_])|(\b[Ww]|[a-z_]W)` + `hoever(\b|[A-Z_])|` +
	`(\b[Ss]|[a-z_]S)` + `omebody(\b|[A-Z_])|(\b[Ss]|[a-z_]S)` + `trangers(\b|[A-Z_])|` +
	`(\b[Mm]|[a-z_]M)` + `end(\b|[A-Z_])`)

// TestTextsNameTheThing reads code, comments, documents, policies and configuration.
func TestTextsNameTheThing(t *testing.T) {
	eachFile(t, []string{".go", ".md", ".rego", ".yaml", ".yml", ".tmpl", ".txtar"}, func(name string, text []byte) {
		for n, line := range numbered(text) {
			if word := vague.FindString(line); word != "" {
				t.Errorf("%s:%d: %q: name the thing", name, n, word)
			}
		}
	})
}

// numbered is the lines of a text with their number.
func numbered(text []byte) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		n := 0
		for line := range strings.Lines(string(text)) {
			if n++; !yield(n, strings.TrimRight(line, "\r\n")) {
				return
			}
		}
	}
}

// eachFile reads the files of the repository that have one of some extensions.
func eachFile(t *testing.T, extensions []string, read func(name string, text []byte)) {
	t.Helper()
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == "dist" || strings.HasPrefix(d.Name(), ".") && name != "." && name != ".github"):
			return fs.SkipDir
		case d.IsDir() || !slices.Contains(extensions, path.Ext(name)):
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err == nil {
			read(name, text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
