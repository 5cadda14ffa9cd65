package httpuri

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Ambiguous says what becomes of a path that two programs may read differently.
type Ambiguous string

// The choices. Anything but AcceptAmbiguous refuses.
const (
	RefuseAmbiguous Ambiguous = "refuse"
	AcceptAmbiguous Ambiguous = "accept"
)

// ReadPath decodes a path once and splits it. One that two programs may read differently is an error, unless ambiguous
// paths are accepted: then it is read the way RFC 3986 says, each segment decoded for itself, dot segments and empty
// segments gone. What cannot be text at all is always an error. A path that ends in a slash has an empty last segment.
func ReadPath(raw string, ambiguous Ambiguous) (path string, segments []string, err error) {
	if raw == "" || raw == "/" {
		return "/", []string{}, nil
	}
	if raw[0] != '/' {
		return "", nil, errors.New("the path does not begin with a slash")
	}
	if plain(raw) {
		return raw, strings.Split(raw[1:], "/"), nil
	}
	trailing := false
	for part := range strings.SplitSeq(raw[1:], "/") {
		s, err := readSegment(part, ambiguous)
		if err != nil {
			return "", nil, err
		}
		trailing = s == "" || s == "." || s == ".."
		switch s {
		case "", ".":
		case "..":
			segments = segments[:max(0, len(segments)-1)]
		default:
			segments = append(segments, s)
		}
	}
	if ambiguous != AcceptAmbiguous && strings.Contains(raw, "//") {
		return "", nil, ambiguityError("an empty segment")
	}
	path = "/" + strings.Join(segments, "/")
	if trailing && len(segments) > 0 {
		path += "/"
		segments = append(segments, "")
	}
	if segments == nil {
		segments = []string{}
	}
	return path, segments, nil
}

func readSegment(part string, ambiguous Ambiguous) (string, error) {
	s, err := Unescape(part)
	if err != nil {
		return "", err
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return "", errors.New("the path has a control character")
	}
	if ambiguous != AcceptAmbiguous {
		if why := ambiguity(s); why != "" {
			return "", ambiguityError(why)
		}
	}
	return s, nil
}

func ambiguityError(why string) error { return fmt.Errorf("the path is ambiguous: it has %s", why) }

// plain reports whether a path is its own canonical form: unreserved characters only, and no segment that is empty or
// has a dot at its beginning or end. A trailing slash is not plain, for it is looked at with care.
func plain(raw string) bool {
	before := byte(0)
	for i := range len(raw) {
		c := raw[i]
		switch {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_':
		case c == '/' && before != '/' && before != '.':
		case c == '.' && before != '/':
		default:
			return false
		}
		before = c
	}
	return before != '/' && before != '.'
}

// ambiguity is why other programs may read a decoded segment as another one, or "". Some decode once more, some cut
// off dots and blanks at the end, and some replace characters by those that they are compatible with (Unicode NFKC).
func ambiguity(s string) string {
	switch {
	case s == "." || s == "..":
		return "a dot segment"
	case strings.IndexByte(s, '/') >= 0:
		return "an encoded slash"
	case strings.IndexByte(s, '\\') >= 0:
		return "a backslash"
	case strings.IndexByte(s, ';') >= 0:
		return "a ; parameter"
	case hasEscape(s):
		return "a doubly encoded character"
	case strings.HasSuffix(s, ".") || strings.HasSuffix(s, " "):
		return "a segment that ends in a dot or a blank"
	case !isASCII(s):
		return compatibility(s)
	}
	return ""
}

// compatibility is the ambiguity of characters outside ASCII: what NFKC turns into a delimiter, a control character or
// a blank at the end. Letters and marks of all scripts are none.
func compatibility(s string) string {
	folded := norm.NFKC.String(s)
	switch {
	case folded == s:
		return ""
	case delimiters(folded) > delimiters(s):
		return "a character that is compatible with a delimiter"
	case strings.HasSuffix(folded, " "):
		return "a segment that ends in a dot or a blank"
	case hasEscape(folded):
		return "a doubly encoded character"
	}
	return ""
}

func delimiters(s string) (n int) {
	for _, r := range s {
		if strings.ContainsRune(`/\.%;?#:@`, r) || unicode.IsControl(r) {
			n++
		}
	}
	return n
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// hasEscape reports whether s has what decodes to another character: %2F, or %u002F as some servers write it.
func hasEscape(s string) bool {
	for i := range len(s) {
		if s[i] != '%' {
			continue
		}
		rest := s[i+1:]
		if startsHex(rest, 2) || rest != "" && (rest[0] == 'u' || rest[0] == 'U') && startsHex(rest[1:], 4) {
			return true
		}
	}
	return false
}

func startsHex(s string, n int) bool {
	if len(s) < n {
		return false
	}
	for i := range n {
		if !isHex(s[i]) {
			return false
		}
	}
	return true
}

// NormalPath is the path at the beginning of s in the form in which two URIs are compared (RFC 3986 section 6.2.2):
// escapes that need not be are undone, the others are in upper case, and dot segments are gone. Empty segments stay.
func NormalPath(s string) (string, bool) {
	if end := strings.IndexAny(s, "?#"); end >= 0 {
		s = s[:end]
	}
	if s == "" {
		return "/", true
	}
	if s[0] != '/' {
		return "", false
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				return "", false
			}
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			if i += 2; !unreserved[c] {
				escape(&b, c)
				continue
			}
		}
		if pathChars[c] {
			b.WriteByte(c)
		} else {
			escape(&b, c) // not allowed as it is: gateways pass it on, clients write the escape
		}
	}
	return withoutDots(b.String()), true
}

var (
	unreserved = charSet(alphanumeric + "-._~")
	pathChars  = charSet(alphanumeric + "-._~/:@!$&'()*+,;=")
)

func escape(b *strings.Builder, c byte) {
	const digits = "0123456789ABCDEF"
	b.WriteByte('%')
	b.WriteByte(digits[c>>4])
	b.WriteByte(digits[c&15])
}

// withoutDots is RFC 3986 section 5.2.4. Empty segments stay.
func withoutDots(path string) string {
	if !strings.Contains(path, "/.") {
		return path
	}
	segments := strings.Split(path[1:], "/")
	kept := segments[:0]
	for i, s := range segments {
		last := i == len(segments)-1
		switch {
		case s != "." && s != "..":
			kept = append(kept, s)
			continue
		case s == ".." && len(kept) > 0:
			kept = kept[:len(kept)-1]
		}
		if last {
			kept = append(kept, "") // what ends in a dot segment ends in a slash
		}
	}
	return "/" + strings.Join(kept, "/")
}
