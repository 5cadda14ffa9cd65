package config

import (
	"cmp"
	"reflect"
	"regexp"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/yamlnode"
)

var (
	// interpolation matches what other programs replace: ${NAME} anywhere, and $NAME as the whole text.
	interpolation = regexp.MustCompile(`\$\{[^}]*\}|^\$[A-Z_][A-Z0-9_]*$`)
	// curlyQuotes matches text in the quotation marks of word processors.
	curlyQuotes = regexp.MustCompile(`^[\x{201C}\x{201D}\x{201E}\x{2018}\x{2019}].*[\x{201C}\x{201D}\x{2018}\x{2019}]$`)
	// uncut matches a key and its value without the blank between them.
	uncut = regexp.MustCompile(`^[a-z_]+:[^ ]`)
)

// foreign reports text that means something to other programs and stands as it is here. It does not show the text. v
// gets it all the same, so that nothing is missing there as well.
func (r *reader) foreign(n *yamlnode.Node, v reflect.Value, path string) bool {
	switch {
	case n.Kind == yamlnode.Text && interpolation.MatchString(n.Text) && strings.HasSuffix(path, ".env"):
		r.fault(path, "holds more than the name of a variable", "write the name alone, without $ and braces")
	case n.Kind == yamlnode.Text && interpolation.MatchString(n.Text):
		r.fault(path, "holds a variable such as ${NAME}, and nothing in this file is replaced",
			"write the value itself, or set "+outside(path))
	case n.Kind == yamlnode.Other && n.Scalar():
		r.fault(path, "has a tag of its own, which begins with !, and tags are not read",
			"write the value itself, or set "+outside(path))
	case n.Kind == yamlnode.Text && curlyQuotes.MatchString(n.Text):
		r.fault(path, "is in typographic quotation marks, which are part of the text", `type straight ones: "text"`)
	case n.Kind == yamlnode.Mapping && len(n.Members) > 0 && n.Members[0].Key.Kind == yamlnode.Mapping:
		r.fault(path, "is a template, {{ }}, that was not filled in", "render the file first, or write the value")
	default:
		return false
	}
	if v.Kind() == reflect.String {
		v.SetString(cmp.Or(n.Text, "{{"))
	}
	return true
}

// outside says how the environment gives a key its value.
func outside(path string) string {
	if strings.HasSuffix(path, ".file") || strings.HasSuffix(path, ".env") {
		return "the variable " + variable(path)
	}
	return "the variable " + variable(path) + "; a secret is kept in {env: NAME} or {file: PATH}"
}

// hintForSyntax says what to do about text that is not YAML, by what the parser says of it.
func hintForSyntax(message string) string {
	for _, known := range []struct{ part, hint string }{
		{"a tab", "type blanks in its place"},
		{"UTF-8", "save the file as UTF-8, without control characters"},
		{"unexpected end of stream", "close the quotation mark that opens there"},
		{"mapping values are not allowed", "write the colon that is missing on the line above, or put text that has " +
			"': ' in quotes"},
		{"did not find expected ',' or", "close the bracket, and put text that has ': ' or a bracket in quotes"},
		{"unknown escape", "put it in single quotes, in which a backslash is a backslash"},
		{"<document start>", `write "key: value" lines: [section] and key = value belong to other formats`},
		{"node content", "remove the comma or the bracket that is too many, or write the item that is missing"},
		{"expected '-' indicator", "indent the line like the others of its list or section"},
		{"did not find expected key", "indent the line like the others of its list or section"},
	} {
		if strings.Contains(message, known.part) {
			return known.hint
		}
	}
	return "look at the indentation, and put text that has ': ' or begins with one of @`%&*![{ in quotes"
}
