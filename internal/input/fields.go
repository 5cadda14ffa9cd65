package input

import (
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

// CheckShadows refuses a request with a header of its own that an upstream behind CGI or WSGI takes for one of set,
// the headers of the allowed request: X_Subject for X-Subject. A gateway that sets the one does not remove the other.
func CheckShadows(headers map[string][]string, set []authz.Header) error {
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
	return nil
}
