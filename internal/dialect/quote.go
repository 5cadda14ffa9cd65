package dialect

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// Bounds of what a cause repeats of a token.
const (
	mostQuoted      = 3
	mostQuotedBytes = 100
)

// Quote writes names that a token has, or that are configured, into a cause for the operator: escaped, cut, and not
// too many of them. Text of a token may be an attacker's, so nothing of it reaches a terminal as it is.
func Quote(names ...string) string {
	if len(names) == 0 {
		return "none"
	}
	var out []string
	for i, n := range names {
		if i == mostQuoted {
			out = append(out, strconv.Itoa(len(names)-i)+" more")
			break
		}
		out = append(out, quoteOne(n))
	}
	return strings.Join(out, ", ")
}

// plain reports whether a name is one as issuers and audiences have: visible ASCII. What a server answers with other
// characters may be an echo of what it was sent, such as a credential of the sidecar.
func plain(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' })
}

func quoteOne(s string) string {
	if len(s) <= mostQuotedBytes {
		return strconv.QuoteToASCII(s)
	}
	end := mostQuotedBytes
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return strconv.QuoteToASCII(s[:end]) + "..."
}

// OtherIssuer is why a token that names another issuer than the configured ones must not be used.
func OtherIssuer(iss string, configured ...string) authz.Unusable {
	return authz.NotUsable(authz.WrongIssuer,
		"was issued by another issuer than the configured one: it names "+Quote(iss)+", configured is "+
			Quote(configured...))
}

// OtherAudience is why a token for other audiences than the configured ones must not be used.
func OtherAudience(aud, configured []string) authz.Unusable {
	return authz.NotUsable(authz.WrongAudience,
		"is for another audience: it names "+Quote(aud...)+", configured is "+Quote(configured...))
}

// NoAudience is why a token without aud must not be used.
func NoAudience(configured []string) authz.Unusable {
	return authz.NotUsable(authz.WrongAudience, "names no audience, and configured is "+Quote(configured...))
}
