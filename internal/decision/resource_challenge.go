package decision

import (
	"slices"
	"strconv"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// resourceChallenges are the challenges of a protected resource, each for a line of its own: RFC 9728 section 5.1.
// Clients of MCP read the first scheme alone, and find parameters by regular expressions: Bearer comes first, what is
// free text comes last.
func resourceChallenges(c authz.Challenge, to *client, offer proof.Presentation, realm string) []string {
	c.Scope = neededScopes(c, to)
	var values []string
	for _, s := range []token.Scheme{token.Bearer, token.DPoP} {
		if !slices.Contains(offer.Schemes, s) || s == token.DPoP && !offersDPoP(c, to, offer) {
			continue
		}
		said := c
		if s == token.Bearer && slices.Contains(offer.Schemes, token.DPoP) &&
			(c.Error == invalidProof || c.Error == useNonce) {
			said.Error, said.ErrorDescription = "", "" // which are of DPoP alone
		}
		values = append(values, resourceChallenge(said, to.resource.MetadataURL, s, offer, realm))
	}
	return values
}

// offersDPoP reports whether a challenge names DPoP beside Bearer: to a client that used it, that has no token, or
// whose bearer token is bad.
func offersDPoP(c authz.Challenge, to *client, offer proof.Presentation) bool {
	return to.scheme != token.Bearer || c.Error == invalidToken || !slices.Contains(offer.Schemes, token.Bearer)
}

// neededScopes are what a client should ask for. A challenge names scopes always: without them clients ask for all
// that the metadata has.
func neededScopes(c authz.Challenge, to *client) []string {
	r := to.resource
	scopes := slices.Clone(c.Scope)
	switch {
	case len(scopes) > 0 && r.AccumulateScopes, len(scopes) == 0 && len(to.held) > 0:
		scopes = slices.Concat(to.held, scopes)
	case len(scopes) == 0 && len(r.ChallengeScopes) > 0:
		scopes = slices.Clone(r.ChallengeScopes)
	case len(scopes) == 0:
		scopes = slices.Clone(r.ScopesSupported)
	}
	seen := map[string]bool{"offline_access": true, "": true} // a client asks for that by itself
	return slices.DeleteFunc(scopes, func(s string) bool {
		again := seen[s]
		seen[s] = true
		return again
	})
}

func resourceChallenge(
	c authz.Challenge, metadata string, scheme token.Scheme, offer proof.Presentation, realm string,
) string {
	var b strings.Builder
	b.WriteString("Bearer resource_metadata=")
	if scheme == token.DPoP {
		b.Reset()
		b.WriteString("DPoP resource_metadata=")
	}
	quote(&b, metadata)
	param := func(name, value string) {
		if value != "" {
			b.WriteString(", " + name + "=")
			quote(&b, value)
		}
	}
	param("error", c.Error)
	param("scope", strings.Join(c.Scope, " "))
	param("acr_values", strings.Join(c.ACRValues, " "))
	if c.HasMaxAge {
		param("max_age", strconv.FormatInt(c.MaxAge, 10))
	}
	if scheme == token.DPoP {
		param("algs", offer.Algorithms)
	}
	param("realm", freeText(realm))
	param("error_description", freeText(c.ErrorDescription))
	return b.String()
}

// freeText is a text in which no client finds a parameter: its "=" becomes ":".
func freeText(s string) string { return strings.ReplaceAll(s, "=", ":") }
