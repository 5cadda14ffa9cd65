package token

import (
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// At returns the token at a place of a request other than Authorization, or the empty text when there is none. headers
// have lower-case names. Two values of the place are refused, not ranked.
func At(place authz.Place, headers map[string][]string) (secret.Text, error) {
	var found []string
	if place.Cookie != "" {
		found = cookies(place.Cookie, headers["cookie"])
	} else {
		found = headers[httpuri.Lower(place.Header)]
	}
	switch len(found) {
	case 0:
		return secret.Text{}, nil
	case 1:
		tok := strings.Trim(found[0], " \t")
		if scheme, rest, ok := strings.Cut(tok, " "); ok && place.Cookie == "" && strings.EqualFold(scheme, "Bearer") {
			tok = strings.TrimLeft(rest, " ")
		}
		return secret.New(tok), nil
	}
	return secret.Text{}, malformed("%d tokens at the place of the token", len(found))
}

// cookies are the values of the cookies of a name, without quotes: RFC 6265 section 4.2.1. Blanks around names are
// none of them, as parsers have it.
func cookies(name string, fields []string) []string {
	var found []string
	for _, f := range fields {
		for pair := range strings.SplitSeq(f, ";") {
			if n, value, ok := strings.Cut(strings.Trim(pair, " \t"), "="); ok && strings.TrimRight(n, " \t") == name {
				if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
					value = value[1 : n-1]
				}
				found = append(found, value)
			}
		}
	}
	return found
}
