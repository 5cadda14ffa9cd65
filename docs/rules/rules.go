// Package rules embeds the page of each code that a finding or a problem of policies may have.
package rules

import "embed"

// FS holds a page for each code: constant-condition.md. README.md lists them.
//
//go:embed *.md
var FS embed.FS

// Page returns the page of a code, in Markdown, and whether there is one.
func Page(code string) (page string, ok bool) {
	b, err := FS.ReadFile(code + ".md")
	return string(b), err == nil && code != "README"
}
