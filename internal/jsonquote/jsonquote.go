// Package jsonquote writes texts as JSON strings. Most texts of requests, tokens and policies need no escape, and are
// copied.
package jsonquote

import "github.com/go-json-experiment/json/jsontext"

// Append appends s as a JSON string, as jsontext.AppendQuote does: the error says that s is not UTF-8, and the string
// has U+FFFD in place of what is not.
func Append(dst []byte, s string) ([]byte, error) {
	if !plain(s) {
		return jsontext.AppendQuote(dst, s)
	}
	return append(append(append(dst, '"'), s...), '"'), nil
}

// AppendValid is Append for texts that are written whatever they are.
func AppendValid(dst []byte, s string) []byte {
	dst, _ = Append(dst, s)
	return dst
}

// Words that hold a number in each byte.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// plain reports whether s is ASCII without control characters, quotation marks and backslashes. It looks at eight
// bytes at once: a subtraction carries into the highest bit of a byte that is less than what is taken from it.
func plain(s string) bool {
	for ; len(s) >= 8; s = s[8:] {
		w := word(s)
		quote, escape := w^('"'*ones), w^('\\'*ones)
		if (w|(w-' '*ones)|(quote-ones)|(escape-ones))&highs != 0 {
			return false
		}
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
			return false
		}
	}
	return true
}

// word is the first eight bytes of s, which the compiler reads at once.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
