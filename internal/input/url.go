package input

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// MaxURLBytes is the longest URL that is read.
const MaxURLBytes = 16 << 10

// setURL splits req.URL into the members of out and returns its query. The host of an origin-form URL is that of the
// Host header.
func (out *Request) setURL(req *authz.Request, ambiguous bool) (query string, err error) {
	raw := req.URL
	if len(raw) > MaxURLBytes {
		return "", malformed("the URL is over %d bytes", MaxURLBytes)
	}
	if strings.IndexByte(raw, '#') >= 0 {
		return "", malformed("the URL has a fragment")
	}
	authority := ""
	if !strings.HasPrefix(raw, "/") {
		scheme, rest, ok := strings.Cut(raw, "://")
		out.Scheme = strings.ToLower(scheme)
		if !ok || out.Scheme != "http" && out.Scheme != "https" {
			return "", malformed("the URL is neither absolute with http or https nor a path")
		}
		end := strings.IndexAny(rest, "/?")
		if end < 0 {
			end = len(rest)
		}
		if authority, raw = rest[:end], rest[end:]; authority == "" {
			return "", malformed("the URL has no host")
		}
	} else if hosts := req.Headers["host"]; len(hosts) > 1 {
		return "", malformed("%d Host headers", len(hosts))
	} else if len(hosts) == 1 {
		authority = hosts[0]
	}
	if err := out.setAuthority(authority); err != nil {
		return "", err
	}
	out.RawPath, query, _ = strings.Cut(raw, "?")
	if out.Path, out.Segments, err = canonical(out.RawPath, ambiguous); err != nil {
		return "", err
	}
	return query, nil
}

func (out *Request) setAuthority(authority string) error {
	if authority == "" {
		return nil
	}
	host, port := authority, ""
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		host, port = authority[:i], authority[i+1:]
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return malformed("the port of the URL is not a number from 1 to 65535")
		}
		out.Port = int64(n)
	} else if out.Scheme == "https" {
		out.Port = 443
	} else if out.Scheme == "http" {
		out.Port = 80
	}
	out.Host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !isHost(out.Host) {
		return malformed("the host of the URL is neither a name nor an address")
	}
	return nil
}

func isHost(s string) bool {
	if strings.HasPrefix(s, "[") {
		inner, ok := strings.CutSuffix(s[1:], "]")
		_, err := sourceIP(inner)
		return ok && inner != "" && err == nil
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_') {
			return false
		}
	}
	return s != "" && len(s) <= 253 && s[0] != '.' && s[len(s)-1] != '.' && !strings.Contains(s, "..")
}

// canonical decodes a path once and splits it. Paths that two programs may read differently are malformed unless
// ambiguous ones are accepted: then they are read the way RFC 3986 says, each segment decoded for itself, dot segments
// and empty segments gone. What cannot be text at all is always malformed.
func canonical(raw string, ambiguous bool) (path string, segments []string, err error) {
	if raw == "" || raw == "/" {
		return "/", []string{}, nil
	}
	if raw[0] != '/' {
		return "", nil, malformed("the path does not begin with a slash")
	}
	if simple(raw) {
		return raw, strings.Split(raw[1:], "/"), nil
	}
	trailing := false
	for part := range strings.SplitSeq(raw[1:], "/") {
		s, err := unescape(part)
		if err != nil {
			return "", nil, err
		}
		if hasControl(s) {
			return "", nil, malformed("the path has a control character")
		}
		if !ambiguous {
			if why := ambiguity(part, s); why != "" {
				return "", nil, malformed("the path is ambiguous: it has %s", why)
			}
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
	if !ambiguous && strings.Contains(raw, "//") {
		return "", nil, malformed("the path is ambiguous: it has an empty segment")
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

// simple reports whether a path is its own canonical form: unreserved characters only, no empty and no dot segments.
// A trailing slash is not simple, for it is looked at with care.
func simple(raw string) bool {
	before := byte(0)
	for i := range len(raw) {
		c := raw[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '/' && before != '/' || c == '.' && before != '/') {
			return false
		}
		before = c
	}
	return before != '/'
}

func ambiguity(part, decoded string) string {
	switch {
	case strings.ContainsAny(decoded, "/"):
		return "an encoded slash"
	case strings.ContainsAny(decoded, `\`):
		return "a backslash"
	case strings.ContainsAny(decoded, ";"):
		return "a ; parameter"
	case decoded == "." || decoded == "..":
		return "a dot segment"
	case part != decoded && hasEscape(decoded):
		return "a doubly encoded character"
	}
	return ""
}

func hasEscape(s string) bool {
	for i := 0; i+2 < len(s); i++ {
		if s[i] == '%' && isHex(s[i+1]) && isHex(s[i+2]) {
			return true
		}
	}
	return false
}

func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f {
			return true
		}
	}
	return false
}

// unescape decodes percent-encoding. The result is UTF-8, else the URL is malformed.
func unescape(s string) (string, error) {
	if strings.IndexByte(s, '%') >= 0 {
		b := make([]byte, 0, len(s))
		for i := 0; i < len(s); i++ {
			if s[i] != '%' {
				b = append(b, s[i])
				continue
			}
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				return "", malformed("the URL has a %% that encodes nothing")
			}
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		}
		s = string(b)
	}
	if !utf8.ValidString(s) {
		return "", malformed("the URL is not UTF-8")
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

// setQuery decodes a query as application/x-www-form-urlencoded, and keeps tokens out of it (RFC 6750 section 2.3).
func (out *Request) setQuery(raw string) error {
	out.Query = noFields
	if raw == "" {
		return nil
	}
	query := map[string][]string{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		k, v, _ := strings.Cut(pair, "=")
		name, err := unescape(strings.ReplaceAll(k, "+", " "))
		if err != nil {
			return err
		}
		value, err := unescape(strings.ReplaceAll(v, "+", " "))
		if err != nil {
			return err
		}
		if name == "access_token" {
			out.QueryTokens++
			continue
		}
		query[name] = append(query[name], value)
	}
	out.Query = query
	return nil
}
