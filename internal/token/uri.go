package token

import (
	"errors"
	"strconv"
	"strings"
)

const maxURIBytes = 16 << 10

// uri is an http or https URI without its query and fragment, in the form in which two are compared: RFC 3986 sections
// 6.2.2 and 6.2.3 (DPOP-9).
type uri struct {
	origin string // scheme and authority
	path   string
}

// readURI reads an absolute URI. Its query and fragment are left out: RFC 9449 section 4.3 ignores them. It does not hold
// back where RFC 3986 says that two spellings are one, and refuses what is no URI of a resource.
func readURI(s string) (uri, bool) {
	if len(s) > maxURIBytes {
		return uri{}, false
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if scheme = lower(scheme); !ok || scheme != "http" && scheme != "https" {
		return uri{}, false
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, ok := readAuthority(scheme, rest[:end])
	if !ok {
		return uri{}, false
	}
	path, ok := readPath(rest[end:])
	return uri{scheme + "://" + authority, path}, ok
}

// readAuthority normalises host and port. There are no users in it, and no escapes: a host is a name or an address.
func readAuthority(scheme, s string) (string, bool) {
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		host, port = s[:i], s[i+1:]
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return "", false
		}
		if port = strconv.FormatUint(n, 10); scheme == "http" && n == 80 || scheme == "https" && n == 443 {
			port = ""
		}
	}
	host = lower(strings.TrimSuffix(host, "."))
	inside, brackets := strings.CutPrefix(host, "[")
	if brackets {
		if inside, brackets = strings.CutSuffix(inside, "]"); !brackets {
			return "", false
		}
	}
	for i := range len(inside) {
		c := inside[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == ':' && brackets) {
			return "", false
		}
	}
	if port != "" {
		host += ":" + port
	}
	return host, inside != ""
}

// readPath normalises the path at the beginning of s: escapes that need not be are undone, the others are in upper case, and
// dot segments are gone.
func readPath(s string) (string, bool) {
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
			if i+2 >= len(s) {
				return "", false
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", false
			}
			c = byte(n)
			if i += 2; !unreserved(c) {
				escape(&b, c)
				continue
			}
		}
		if unreserved(c) || strings.IndexByte("/:@!$&'()*+,;=", c) >= 0 {
			b.WriteByte(c)
		} else {
			escape(&b, c) // not allowed as it is: gateways pass it on, clients write the escape
		}
	}
	return withoutDots(b.String()), true
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

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

// readBase reads what the URLs that clients use begin with.
func readBase(s string) (*uri, error) {
	u, ok := readURI(s)
	switch {
	case strings.ContainsAny(s, "?#"):
		return nil, errors.New("it has a query or a fragment")
	case !ok:
		return nil, errors.New("it is not an absolute http or https URL")
	}
	u.path = strings.TrimSuffix(u.path, "/")
	return &u, nil
}

// target is the URI of the request as its client wrote it: never that of the sidecar (DPOP-21). Not even the Host field
// is looked at: it does not say the scheme, and anybody can write one.
func (p *Proofs) target(requested string) (uri, bool) {
	if p.base == nil {
		return readURI(requested)
	}
	path := requested
	if !strings.HasPrefix(requested, "/") {
		_, rest, _ := strings.Cut(requested, "://")
		path = strings.TrimLeftFunc(rest, func(r rune) bool { return r != '/' && r != '?' })
	}
	path, ok := readPath(path)
	return uri{p.base.origin, p.base.path + path}, ok
}
