package decision

import (
	"slices"
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
	w := parameters{scheme: scheme}
	w.always("resource_metadata", metadata)
	w.add("error", c.Error)
	w.add("scope", strings.Join(c.Scope, " "))
	w.login(c)
	if scheme == token.DPoP {
		w.add("algs", offer.Algorithms)
	}
	w.add("realm", freeText(realm))
	w.add("error_description", freeText(c.ErrorDescription))
	return w.String()
}

// freeText is a text in which no client finds a parameter: its "=" becomes ":".
func freeText(s string) string { return strings.ReplaceAll(s, "=", ":") }
