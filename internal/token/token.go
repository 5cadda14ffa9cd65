// Package token finds the one credential that a request carries: a token and the scheme it was presented with.
package token

import (
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// MaxBytes is the length of the longest token; a longer one is malformed (INT-12).
const MaxBytes = 16 << 10

// Scheme is how a token is presented.
type Scheme string

// The schemes: RFC 6750 section 2.1, RFC 9449 section 7.1.
const (
	Bearer Scheme = "bearer"
	DPoP   Scheme = "dpop"
)

// Credential is a token and how it was presented. The zero Credential is "none".
type Credential struct {
	Token  secret.Text
	Scheme Scheme
}

// Present reports whether there is a token.
func (c Credential) Present() bool { return !c.Token.Empty() }

// Sources are the places in which a credential may be.
type Sources struct {
	// Header holds the Authorization fields of the request.
	Header []string
	// Elsewhere counts the access_token parameters of the request's query, and of a form in its body.
	Elsewhere int
	// Explicit is a token that the caller passes beside the request.
	Explicit secret.Text
}

// Extract returns the one credential of a query, or the zero Credential when it has none. The Scheme of a malformed
// credential is returned where there is one.
//
// Two credentials are refused, not ranked (BR-2). A token in the query or in a form is never a credential (OAuth 2.1),
// but it counts as a second one. A scheme other than Bearer and DPoP counts as no credential.
func Extract(p Sources) (Credential, error) {
	field := ""
	if len(p.Header) == 1 {
		field = strings.Trim(p.Header[0], " \t") // whitespace around a value is not part of it: RFC 9110 section 5.5
	}
	inHeader := len(p.Header) > 1 || field != ""
	beside := !p.Explicit.Empty()
	switch {
	case len(p.Header) > 1:
		return Credential{}, malformed("%d Authorization headers", len(p.Header))
	case inHeader && beside:
		return Credential{}, malformed("two credentials: an Authorization header, and a token beside the request or where credential " +
			"of the configuration looks")
	case (inHeader || beside) && p.Elsewhere > 0:
		return Credential{}, malformed("a token in the query or in a form besides another credential")
	case inHeader:
		return parse(field)
	case !beside:
		return Credential{}, nil
	}
	tok := strings.Trim(p.Explicit.Reveal(), " \t\r\n") // as a file or a shell hands it over
	if !wellFormed(tok) {
		return Credential{}, malformed("the token holds characters that no token has, or is over %d bytes", MaxBytes)
	}
	return Credential{Token: secret.New(tok), Scheme: Bearer}, nil
}

func parse(field string) (Credential, error) {
	name, tok, _ := strings.Cut(field, " ")
	scheme, ok := schemeOf(name)
	switch {
	case !ok && hasTokenInList(field):
		return Credential{}, malformed("a token behind another credential and a comma")
	case !ok:
		return Credential{}, nil
	}
	tok = strings.TrimLeft(tok, " ")
	if !wellFormed(tok) {
		return Credential{Scheme: scheme}, malformed("the Authorization header has no well-formed token")
	}
	return Credential{Token: secret.New(tok), Scheme: scheme}, nil
}

func schemeOf(name string) (s Scheme, ok bool) {
	switch {
	case strings.EqualFold(name, "Bearer"):
		return Bearer, true
	case strings.EqualFold(name, "DPoP"):
		return DPoP, true
	}
	return "", false
}

// hasTokenInList reports whether a field is several Authorization fields, joined as a gateway may join those of one
// name (RFC 9110 section 5.3), of which a later one has a token.
func hasTokenInList(field string) bool {
	_, rest, more := strings.Cut(field, ",")
	for more {
		var element string
		element, rest, more = strings.Cut(rest, ",")
		name, _, _ := strings.Cut(strings.TrimLeft(element, " \t"), " ")
		if _, ok := schemeOf(name); ok {
			return true
		}
	}
	return false
}

func malformed(format string, args ...any) error {
	return authz.Errorf(authz.Malformed, "read credential: "+format, args...)
}

// wellFormed reports whether s is a token of at most MaxBytes: RFC 6749 appendix A.12.
func wellFormed(s string) bool { return len(s) <= MaxBytes && httpuri.IsCredential(s) }
