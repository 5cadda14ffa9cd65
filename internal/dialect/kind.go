package dialect

import (
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// kindOf collects the evidence of what a token is for: INT-20. Many servers call refresh and ID tokens active, and RFC 7662
// has no member that tells. Where evidence contradicts itself, the kind that may not pass wins.
func (d dialect) kindOf(m members) authz.TokenKind {
	kinds := []authz.TokenKind{
		kindOfUse(m.text("token_use")),
		kindOfUse(m.text("token_usage")),
		kindOfType(m.text("typ")),
		kindOfType(m.text("token_type")),
	}
	if m.text("token_type") == "" {
		kinds = append(kinds, d.withoutTokenType)
	}
	for _, k := range []authz.TokenKind{authz.RefreshToken, authz.IDToken, authz.AccessToken} {
		if slices.Contains(kinds, k) {
			return k
		}
	}
	return authz.UnknownToken
}

func kindOfUse(use string) authz.TokenKind {
	switch strings.ToLower(use) {
	case "access", "access_token":
		return authz.AccessToken
	case "refresh", "refresh_token":
		return authz.RefreshToken
	case "id", "id_token":
		return authz.IDToken
	}
	return authz.UnknownToken
}

// kindOfType reads typ and token_type, which servers fill alike. A logout token speaks of a login as an ID token does, and
// N_A is what RFC 8693 section 2.2.1 calls a token that is no access token.
func kindOfType(t string) authz.TokenKind {
	switch strings.ToLower(t) {
	case "bearer", "dpop", "access_token":
		return authz.AccessToken
	case "refresh", "refresh_token", "offline", "n_a":
		return authz.RefreshToken
	case "id", "id_token", "logout":
		return authz.IDToken
	}
	return authz.UnknownToken
}
