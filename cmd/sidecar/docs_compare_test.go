package main

import (
	"regexp"
	"strings"
)

// varies has what is different in each run, and the word that stands for it when outputs are compared.
var varies = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`\b01[0-9A-HJKMNP-TV-Z]{24}\b`), "ULID"},
	{regexp.MustCompile(`sha256:[0-9a-f]+(\.\.\.)?`), "sha256:DIGEST"},
	{regexp.MustCompile(`\b[0-9a-f]{12}\b`), "HASH"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`\bin \d+(\.\d+)?(ms|s|m\d+s)\b`), "in SPAN"},
	{regexp.MustCompile(`\b127\.0\.0\.1:[3-6]\d{4}\b`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`Bearer [\w-]{8,}(\.\.\.)?`), "Bearer TOKEN"},
}

func leveled(text string) string {
	for _, v := range varies {
		text = v.pattern.ReplaceAllString(text, v.word)
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t")
	}
	return strings.Join(lines, "\n")
}

var (
	space   = regexp.MustCompile(`\s+`)
	cutLine = regexp.MustCompile(`(?m)^ *\\.\\.\\.$\n?`)
)

// matches tells whether a command printed what a page shows. In what is shown, "..." stands for the rest of a line, or
// for a part of it, and a line of "..." for any lines. JSON is compared without its spaces.
func matches(shown, printed string) bool {
	want, got := leveled(shown), leveled(printed)
	if strings.HasPrefix(got, "{") && strings.HasSuffix(got, "}") {
		want, got = space.ReplaceAllString(want, ""), space.ReplaceAllString(got, "")
	}
	pattern := cutLine.ReplaceAllString(regexp.QuoteMeta(want), `(?s:.*)`)
	pattern = strings.ReplaceAll(pattern, `\.\.\.`, `.*`)
	return regexp.MustCompile(`^` + pattern + `\n?$`).MatchString(got)
}
