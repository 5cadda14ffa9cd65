// Package httpuri reads the small parts that HTTP messages and URIs are made of: hosts, ports, paths, names of header
// fields and the characters of tokens. Each is read in one way everywhere, so that two packages agree about what
// is equal.
//
// It knows no request and no configuration, and its errors quote nothing of what was read.
package httpuri

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// IsToken reports whether s is a token of RFC 9110 section 5.6.2, as methods and names of header fields are.
func IsToken(s string) bool {
	for i := range len(s) {
		if !tokenChars[s[i]] {
			return false
		}
	}
	return s != ""
}

var tokenChars = charSet(alphanumeric + "!#$%&'*+-.^_`|~")

// IsCredential reports whether s can be an access token in an Authorization field: visible characters of ASCII (RFC
// 6749 appendix A.12), without those that end an element of a list or a quoted string (RFC 9110 section 5.6). RFC
// 6750 section 2.1 allows fewer, and some servers issue tokens with others. Text of nothing but "=" is none.
func IsCredential(s string) bool {
	padding := true
	for i := range len(s) {
		if !credentialChars[s[i]] {
			return false
		}
		padding = padding && s[i] == '='
	}
	return !padding
}

var credentialChars = func() (set [256]bool) {
	for c := range set {
		set[c] = IsCredentialChar(rune(c))
	}
	return set
}()

// IsCredentialChar reports whether an access token may hold c.
func IsCredentialChar(c rune) bool {
	return '!' <= c && c <= '~' && c != '"' && c != ',' && c != '\\'
}

const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

func charSet(chars string) (set [256]bool) {
	for i := range len(chars) {
		set[chars[i]] = true
	}
	return set
}

// Lower is s with the capital letters of ASCII in lower case. Letters of other scripts stay: strings.ToLower would
// turn some of them (U+0130, U+212A) into letters of ASCII, and so one name into another.
func Lower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			var b strings.Builder
			b.Grow(len(s))
			b.WriteString(s[:i])
			for ; i < len(s); i++ {
				c := s[i]
				if 'A' <= c && c <= 'Z' {
					c += 'a' - 'A'
				}
				b.WriteByte(c)
			}
			return b.String()
		}
	}
	return s
}

// Variable is the name under which an upstream behind CGI or WSGI finds a header field (RFC 3875 section 4.1.18):
// names with the same variable are one there. Servers differ in which characters they replace; here all but letters
// and digits are.
func Variable(name string) string {
	b := []byte(Lower(name))
	for i, c := range b {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9') {
			b[i] = '_'
		}
	}
	return string(b)
}

// SameVariable reports whether two names are one Variable.
func SameVariable(a, b string) bool {
	if IsPlainName(a) && IsPlainName(b) {
		return strings.EqualFold(a, b)
	}
	return Variable(a) == Variable(b)
}

// IsPlainName reports whether a name has no other characters than letters, digits and "-": no other such name has its
// Variable.
func IsPlainName(name string) bool {
	for i := range len(name) {
		if !plainChars[name[i]] {
			return false
		}
	}
	return true
}

var plainChars = charSet(alphanumeric + "-")

// Unescape decodes percent-encoding (RFC 3986 section 2.1). What is decoded is UTF-8, else there is an error.
func Unescape(s string) (string, error) {
	if strings.IndexByte(s, '%') >= 0 {
		b := make([]byte, 0, len(s))
		for i := 0; i < len(s); i++ {
			if s[i] != '%' {
				b = append(b, s[i])
				continue
			}
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				return "", errors.New("the URL has a % that encodes nothing")
			}
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		}
		s = string(b)
	}
	if !utf8.ValidString(s) {
		return "", errors.New("the URL is not UTF-8")
	}
	return s, nil
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}
