package input

import (
	"net/netip"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// Rules is what Config allows, prepared. It is immutable.
type Rules struct {
	headers   []string
	bodyBytes int
	ambiguous bool // ambiguous paths are accepted
}

// NewRules prepares cfg.
func NewRules(cfg Config) *Rules {
	r := &Rules{bodyBytes: cfg.BodyBytes, ambiguous: cfg.AmbiguousPaths == "accept"}
	for _, name := range cfg.Headers {
		r.headers = append(r.headers, strings.ToLower(name))
	}
	return r
}

// Request returns req as policies see it. An error is of kind Malformed: the request has no single meaning.
func (r *Rules) Request(req *authz.Request) (Request, error) {
	out := Request{Method: strings.ToUpper(req.Method)}
	if !IsToken(req.Method) {
		return Request{}, malformed("the method is not a token")
	}
	rawQuery, err := out.setURL(req, r.ambiguous)
	if err != nil {
		return Request{}, err
	}
	if err = out.setQuery(rawQuery); err != nil {
		return Request{}, err
	}
	if out.SourceIP, err = sourceIP(req.SourceIP); err != nil {
		return Request{}, err
	}
	out.Headers = r.allowed(req.Headers)
	if r.bodyBytes > 0 && req.HasBody {
		body := req.Body
		if len(body) > r.bodyBytes {
			body = strings.ToValidUTF8(body[:r.bodyBytes], "")
			out.BodyTruncated = true
		}
		out.Body = &body
	}
	return out, nil
}

// noFields is every query and header map without members. Documents are never changed.
var noFields = map[string][]string{}

func (r *Rules) allowed(headers map[string][]string) map[string][]string {
	var out map[string][]string
	for _, name := range r.headers {
		if values, ok := headers[name]; ok {
			if out == nil {
				out = make(map[string][]string, len(r.headers))
			}
			out[name] = values
		}
	}
	if out == nil {
		return noFields
	}
	return out
}

func sourceIP(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return "", malformed("the source address is not an IP address")
	}
	return a.Unmap().WithZone("").String(), nil
}

// malformed never quotes the request: a URL can hold a password, and the text goes to the decision log.
func malformed(format string, args ...any) error {
	return authz.E(authz.Malformed, "read request: "+format, args...)
}

// IsToken reports whether s is a token of RFC 9110 section 5.6.2, as methods and header names are.
func IsToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}
