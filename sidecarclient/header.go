package sidecarclient

import (
	"net/http"
	"strings"
)

// validName reports whether s is a field name: a token of RFC 9110 section 5.6.2.
func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// validValue reports whether s can be a field value: no control character but the tab (RFC 9110 section 5.5).
func validValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// folded is a header name as the most careless upstream reads it: CGI, WSGI and PHP make one of x-tenant, X_Tenant and
// x.tenant.
func folded(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case 'A' <= c && c <= 'Z':
			return c + 'a' - 'A'
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			return c
		}
		return '-'
	}, name)
}

// replace returns headers of a request with those of upstream in place of the client's own, under whatever spelling.
func replace(headers, upstream http.Header) http.Header {
	ours := make(map[string]bool, len(upstream))
	for name := range upstream {
		ours[folded(name)] = true
	}
	out := make(http.Header, len(headers)+len(upstream))
	for name, values := range headers {
		if !ours[folded(name)] {
			out[name] = values
		}
	}
	keep(out, ours)
	for name, values := range upstream {
		if len(values) > 0 {
			out[name] = values
		}
	}
	return out
}

// keep takes names out of Connection: a proxy behind this handler removes the headers that it names (RFC 9110
// section 7.6.1), and the client must not say that of headers which the sidecar sets.
func keep(headers http.Header, ours map[string]bool) {
	values := headers["Connection"]
	if len(values) == 0 || len(ours) == 0 {
		return
	}
	var left []string
	for option := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if option = strings.TrimSpace(option); option != "" && !ours[folded(option)] {
			left = append(left, option)
		}
	}
	delete(headers, "Connection")
	if len(left) > 0 {
		headers["Connection"] = []string{strings.Join(left, ", ")}
	}
}
