package door

import (
	"bytes"
	"regexp"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

var (
	otherLiteral = regexp.MustCompile(`^(True|False|None|NaN|-?Infinity|undefined|nil)\b`)
	bareName     = regexp.MustCompile(`^[A-Za-z_]`)
	surrogate    = regexp.MustCompile(`^\\u[dD][89a-fA-F]`)
)

// syntaxReason is what is often the reason when a body is no JSON after before, where rest begins, or "". It quotes
// nothing of the body.
func syntaxReason(body, before, rest []byte) string {
	if why := formReason(body, before, rest); why != "" {
		return why
	}
	last, next := bytes.TrimSpace(before), bytes.TrimSpace(rest[1:])
	end := last[max(len(last)-1, 0):]
	switch {
	case rest[0] == '\'':
		return "write double quotes"
	case bytes.HasPrefix(rest, []byte("\u201c")) || bytes.HasPrefix(rest, []byte("\u201d")):
		return "write straight double quotes"
	case rest[0] == '/' || rest[0] == '#':
		return "JSON has no comments"
	case rest[0] == ',' && len(next) > 0 && (next[0] == '}' || next[0] == ']'):
		return "there is a comma before the bracket"
	case otherLiteral.Match(rest):
		return "write true, false, null or a number"
	case bareName.Match(rest) && (string(end) == "{" || string(end) == ","):
		return "write names in double quotes"
	case rest[0] < ' ' && rest[0] != '\t':
		return `write a line break in a string as \n`
	case surrogate.Match(rest):
		return `a text is cut within a character: an escape such as \ud83d needs its other half`
	case rest[0] == '\\':
		return `write a backslash in a string as \\`
	case rest[0] >= '0' && rest[0] <= '9' && string(end) == "0":
		return "a number has no leading zeros"
	case json.Unmarshal(last, new(jsontext.Value)) == nil:
		return "there is more after the first value"
	case bytes.ContainsAny(rest[:1], `"{[`) && bytes.ContainsAny(end, `"}]`):
		return "a comma or a colon is missing before it"
	}
	return ""
}

// formReason is what the body is instead of JSON, or "".
func formReason(body, before, rest []byte) string {
	begins := len(bytes.TrimSpace(before)) == 0
	switch {
	case bytes.HasPrefix(body, []byte("\x1f\x8b")):
		return "it is compressed: send it as it is"
	case bytes.HasPrefix(body, []byte("\xef\xbb\xbf")):
		return "remove the byte order mark"
	case !utf8.Valid(body):
		return "it is not UTF-8"
	case begins && rest[0] == '<':
		return "it is HTML or XML: want a JSON object"
	case begins && rest[0] == '%':
		return "it is encoded as a form: want a JSON object as it is"
	case begins && bareName.Match(rest):
		return "want a JSON object: curl sends a file with -d @FILE"
	}
	return ""
}
