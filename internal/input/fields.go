package input

import (
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// checkFields refuses header fields whose names are not tokens, and two fields that an upstream behind CGI or WSGI
// reads as one: which of the two it takes is not known.
func checkFields(headers map[string][]string) error {
	odd := false // some name holds what is replaced, other than "-"
	for name := range headers {
		if !httpuri.IsToken(name) {
			return malformed("a header name is not a token")
		}
		odd = odd || !httpuri.IsPlainName(name)
	}
	if !odd {
		return nil
	}
	seen := make(map[string]struct{}, len(headers))
	for name := range headers {
		variable := httpuri.Variable(name)
		if _, twice := seen[variable]; twice {
			return malformed("two header names differ only in their punctuation, as X_Tenant and X-Tenant do")
		}
		seen[variable] = struct{}{}
	}
	return nil
}

// checkConnection refuses a request whose Connection names a header that policies see or that holds a credential: a
// proxy on the way takes it away (RFC 9110 section 7.6.1), so that the upstream gets another request than is decided.
func (r *Rules) checkConnection(headers map[string][]string) error {
	return checkConnection(headers, func(name string) bool {
		return HoldsCredential(name) || slices.Contains(r.headers, name)
	})
}

// checkConnection refuses a request whose Connection names a header that matters, which is asked lower-case names.
func checkConnection(headers map[string][]string, matters func(name string) bool) error {
	for _, value := range headers["connection"] {
		for option := range strings.SplitSeq(value, ",") {
			if matters(httpuri.Lower(strings.Trim(option, " \t"))) {
				return malformed("its Connection names a header that a proxy would take away after the decision")
			}
		}
	}
	return nil
}

// CheckShadows refuses a request with a header of its own that an upstream behind CGI or WSGI takes for one of set,
// the headers of the allowed request: X_Subject for X-Subject. A gateway that sets the one does not remove the other.
// It refuses one whose Connection names one of set too: some gateways set it, and then take it away again.
func CheckShadows(headers map[string][]string, set []authz.Header) error {
	if len(set) == 0 {
		return nil
	}
	for name := range headers {
		for i := range set {
			if httpuri.IsPlainName(name) && httpuri.IsPlainName(set[i].Name) {
				continue // they differ, or are one
			}
			if httpuri.Variable(set[i].Name) == httpuri.Variable(name) && httpuri.Lower(set[i].Name) != name {
				return malformed("a header has the name of one that is set for the upstream, but for its punctuation")
			}
		}
	}
	return checkConnection(headers, func(name string) bool {
		return slices.ContainsFunc(set, func(h authz.Header) bool {
			return httpuri.SameVariable(h.Name, name)
		})
	})
}

// CheckPlace refuses a request whose Connection names the header of a token, and one that spells this header in
// another way: an upstream behind CGI or WSGI would take a token from there that was never looked at.
func CheckPlace(headers map[string][]string, header string) error {
	for name := range headers {
		if !httpuri.IsPlainName(name) && name != httpuri.Lower(header) && httpuri.SameVariable(name, header) {
			return malformed("a header has the name of the one that holds the token, but for its punctuation")
		}
	}
	return checkConnection(headers, func(name string) bool { return httpuri.SameVariable(name, header) })
}
