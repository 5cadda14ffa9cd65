package mcp

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// ambiguity says why two readers of JSON may understand raw differently, or "" where all agree: bytes that are not
// UTF-8 or not JSON, text behind the value, a name twice in an object, or twice but for case (encoding/json of Go and
// others fold it), and the name that assigns a prototype in JavaScript.
func ambiguity(raw []byte) string {
	if !utf8.Valid(raw) {
		return "the message is not UTF-8"
	}
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	var open []map[string]struct{} // the folded names of each object around; nil for an array
	for {
		tok, err := dec.ReadToken()
		switch {
		case errors.Is(err, io.EOF) && len(open) == 0 && dec.InputOffset() > 0:
			return ""
		case errors.Is(err, jsontext.ErrDuplicateName):
			return "an object has a member twice"
		case err != nil:
			return "the message is not one JSON value"
		}
		switch tok.Kind() {
		case '{':
			open = append(open, map[string]struct{}{})
		case '[':
			open = append(open, nil)
		case '}', ']':
			open = open[:len(open)-1]
		case '"':
			if len(open) == 0 || !isName(dec) {
				continue
			}
			name := fold(tok.String())
			names := open[len(open)-1]
			if _, twice := names[name]; twice {
				return "an object has two members whose names differ in case alone"
			}
			if name == "__proto__" {
				return "an object has a member __proto__"
			}
			names[name] = struct{}{}
		}
		if len(open) == 0 && dec.StackDepth() == 0 {
			if strings.TrimLeft(string(raw[dec.InputOffset():]), " \t\r\n") != "" {
				return "there is text behind the message"
			}
			return ""
		}
	}
}

// isName reports whether the string that was read last names a member.
func isName(dec *jsontext.Decoder) bool {
	kind, length := dec.StackIndex(dec.StackDepth())
	return kind == '{' && length%2 == 1
}

var errNoObject = errors.New("not an object")

// members are those of a JSON object without ambiguity, by name.
func members(raw jsontext.Value) (map[string]jsontext.Value, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return nil, errNoObject
	}
	out := map[string]jsontext.Value{}
	for dec.PeekKind() == '"' {
		tok, err := dec.ReadToken()
		if err != nil {
			return nil, errNoObject
		}
		name := tok.String()
		value, err := dec.ReadValue()
		if err != nil {
			return nil, errNoObject
		}
		out[name] = value.Clone()
	}
	return out, nil
}

// foldsTo reports whether a member has one of the known names but for its case.
func foldsTo(members map[string]jsontext.Value, known ...string) bool {
	for name := range members {
		for _, k := range known {
			if name != k && fold(name) == fold(k) {
				return true
			}
		}
	}
	return false
}

// fold is s as readers that disregard case may compare it: the smallest character of each that becomes another by
// lower case, upper case or simple folding (Unicode 15, 3.13).
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' && r != 'k' && r != 's' || r < 'A' {
			return r
		}
		r = unicode.ToLower(unicode.ToUpper(r))
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return unicode.ToLower(least)
	}, s)
}
