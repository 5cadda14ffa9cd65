package input

import (
	"mime"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// setBody shows policies the beginning of the body as text. A form or JSON that is not UTF-8 has no single meaning,
// and is refused; in a body of another kind, such as an image, U+FFFD stands for what is not UTF-8.
func (out *Request) setBody(req *authz.Request, atMost int) error {
	body := req.Body
	if len(body) > atMost || req.BodyPartial {
		body, out.BodyTruncated = withoutHalfRune(body[:min(atMost, len(body))]), true
	}
	if !utf8.ValidString(body) {
		if isText(req.Headers["content-type"]) {
			return malformed("the body is not UTF-8")
		}
		body = strings.ToValidUTF8(body, "\uFFFD")
	}
	out.Body = &body
	return nil
}

// withoutHalfRune is the beginning of a text without the first bytes of a character at its end.
func withoutHalfRune(s string) string {
	for i := len(s) - 1; i >= 0 && i >= len(s)-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			if !utf8.FullRuneInString(s[i:]) {
				return s[:i]
			}
			break
		}
	}
	return s
}

// isText reports whether a body may be one that policies and applications read as text: every one of which no other
// type is said.
func isText(contentType []string) bool {
	if len(contentType) != 1 {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType[0])
	kind, subtype, _ := strings.Cut(media, "/")
	texts := []string{"json", "xml", "x-www-form-urlencoded", "javascript", "graphql", "yaml", "x-yaml", "toml"}
	return err != nil || kind == "text" || slices.Contains(texts, subtype) ||
		strings.HasSuffix(subtype, "+json") || strings.HasSuffix(subtype, "+xml")
}
