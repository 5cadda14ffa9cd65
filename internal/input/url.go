package input

import (
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// MaxURLBytes is the longest URL that is read.
const MaxURLBytes = 16 << 10

// setURL splits req.URL into the members of out and returns its query. The host of an origin-form URL is that of the
// Host header.
func (out *Request) setURL(req *authz.Request, ambiguous httpuri.Ambiguous) (query string, err error) {
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
		out.Scheme = httpuri.Lower(scheme)
		if !ok || out.Scheme != "http" && out.Scheme != "https" {
			return "", malformed("the URL is neither absolute with http or https nor a path")
		}
		end := strings.IndexByte(rest, '/')
		if end < 0 {
			end = len(rest)
		}
		if query := strings.IndexByte(rest[:end], '?'); query >= 0 {
			end = query
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
	if out.Path, out.Segments, err = httpuri.ReadPath(out.RawPath, ambiguous); err != nil {
		return "", malformed("%v", err)
	}
	return query, nil
}

func (out *Request) setAuthority(authority string) error {
	if authority == "" {
		return nil
	}
	a, ok := httpuri.ReadAuthority(authority)
	if !ok {
		return malformed(
			"the host of the URL is neither a name nor an address, or its port is not a number from 1 to 65535")
	}
	out.Host = a.Host
	switch {
	case a.Port != 0:
		out.Port = int64(a.Port)
	case out.Scheme == "https":
		out.Port = 443
	case out.Scheme == "http":
		out.Port = 80
	}
	return nil
}

// setQuery decodes a query as application/x-www-form-urlencoded, and keeps tokens out of it (RFC 6750 section 2.3).
func (out *Request) setQuery(raw string) error {
	out.Query = noFields
	if raw == "" {
		return nil
	}
	query := map[string][]string{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair = out.withoutTokens(pair); pair == "" {
			continue
		}
		k, v, _ := strings.Cut(pair, "=")
		name, err := unescapeForm(k)
		if err != nil {
			return err
		}
		value, err := unescapeForm(v)
		if err != nil {
			return err
		}
		if namesToken(name) {
			out.OtherTokens++
			continue
		}
		query[name] = append(query[name], value)
	}
	out.Query = query
	return nil
}

// withoutTokens is a pair of a query without the tokens that an upstream finds in it that separates pairs by ";" too,
// as HTML 4.01 appendix B.2.2 recommended.
func (out *Request) withoutTokens(pair string) string {
	if strings.IndexByte(pair, ';') < 0 {
		return pair
	}
	var kept []string
	for part := range strings.SplitSeq(pair, ";") {
		k, _, _ := strings.Cut(part, "=")
		if name, err := unescapeForm(k); err == nil && namesToken(name) {
			out.OtherTokens++
			continue
		}
		kept = append(kept, part)
	}
	return strings.Join(kept, ";")
}

// countForm counts the tokens in a body that is a form, which is a further way to present one: RFC 6750 section 2.2.
func (out *Request) countForm(req *authz.Request) {
	if !req.HasBody || !strings.Contains(req.Body, "=") || !slices.ContainsFunc(req.Headers["content-type"], isForm) {
		return
	}
	for pair := range strings.FieldsFuncSeq(req.Body, func(c rune) bool { return c == '&' || c == ';' }) {
		k, _, _ := strings.Cut(pair, "=")
		if name, err := unescapeForm(k); err == nil && namesToken(name) {
			out.OtherTokens++
		}
	}
}

func isForm(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(media), "application/x-www-form-urlencoded")
}

func unescapeForm(s string) (string, error) {
	s, err := httpuri.Unescape(strings.ReplaceAll(s, "+", " "))
	if err != nil {
		return "", malformed("%v", err)
	}
	return s, nil
}

// queryToken is the parameter that holds a token: RFC 6750 section 2.3.
const queryToken = "access_token"

// HoldsToken reports whether a query parameter is kept out of the document because of its name.
func HoldsToken(name string) bool { return namesToken(name) }

// namesToken reports whether an upstream may take a parameter for the one that holds a token. Some frameworks compare
// names without regard to case, and PHP cuts names at a bracket, drops blanks before them and turns blanks and dots
// into "_".
func namesToken(name string) bool {
	if len(name) < len(queryToken) {
		return false
	}
	name, _, _ = strings.Cut(name, "[")
	name, _, _ = strings.Cut(name, "\x00")
	name = strings.TrimSpace(name)
	return strings.EqualFold(strings.NewReplacer(" ", "_", ".", "_").Replace(name), queryToken)
}
