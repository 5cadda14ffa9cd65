package dialect

import (
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// evidence of a kind of token: it fits where all members of with are there, and none of without.
type evidence struct {
	kind          authz.TokenKind
	with, without []string
}

// fitting is the kind of the first evidence that fits, or "".
func fitting(all []evidence, m *members) authz.TokenKind {
	for _, k := range all {
		if !slices.ContainsFunc(k.with, m.lacks) && !slices.ContainsFunc(k.without, m.says) {
			return k.kind
		}
	}
	return ""
}

// kindOf collects the evidence of what a token is for: INT-20. Many servers call refresh and ID tokens active, and RFC
// 7662 has no member that tells. Where evidence contradicts itself, the kind that may not pass wins.
func (d dialect) kindOf(m *members) authz.TokenKind {
	if m.has("events") {
		return authz.IDToken // as in kindOfJWT
	}
	kinds := d.kindsSaid(m)
	if k := fitting(d.evidence, m); k != "" {
		kinds = append(kinds, k)
	} else if m.text("token_type") == "" {
		kinds = append(kinds, d.untyped)
	}
	return worst(kinds)
}

// kindOfJWT is kindOf for the claims of a JWT. What only ID tokens have (OpenID Connect Core sections 2 and 3.3.2.11)
// counts where the token itself says nothing: some servers copied a nonce into every token. Events make a logout
// token, or another security event (RFC 8417 section 2.2), whatever else it says.
func (d dialect) kindOfJWT(m *members) authz.TokenKind {
	kinds := d.kindsSaid(m)
	switch k := fitting(d.jwt.evidence, m); {
	case m.has("events"):
		return authz.IDToken
	case k != "":
		kinds = append(kinds, k)
	case worst(kinds) == authz.UnknownToken && slices.ContainsFunc([]string{"nonce", "at_hash", "c_hash", "s_hash"},
		m.says):
		return authz.IDToken
	}
	return worst(kinds)
}

func worst(kinds []authz.TokenKind) authz.TokenKind {
	for _, k := range []authz.TokenKind{authz.RefreshToken, authz.IDToken, authz.AccessToken} {
		if slices.Contains(kinds, k) {
			return k
		}
	}
	return authz.UnknownToken
}

// kindsSaid are the kinds that members name in words.
func (d dialect) kindsSaid(m *members) []authz.TokenKind {
	kinds := []authz.TokenKind{kindOfType(m.text("typ")), kindOfType(m.text("token_type"))}
	for _, name := range d.uses {
		kinds = append(kinds, kindOfUse(m.text(name)))
	}
	return kinds
}

// plainType is a type in lower case, without what RFC 8693 section 3 puts before it.
func plainType(t string) string {
	return strings.TrimPrefix(strings.ToLower(t), "urn:ietf:params:oauth:token-type:")
}

// kindOfUse reads what a token is to be used for. A code is redeemed for tokens, as a refresh token is.
func kindOfUse(use string) authz.TokenKind {
	switch plainType(use) {
	case "access", "access_token":
		return authz.AccessToken
	case "refresh", "refresh_token", "authorization_code", "device_code", "user_code":
		return authz.RefreshToken
	case "id", "id_token", "logout_token":
		return authz.IDToken
	}
	return authz.UnknownToken
}

// kindOfType reads typ and token_type, which servers fill alike. A logout token speaks of a login as an ID token does,
// and N_A is what RFC 8693 section 2.2.1 calls a token that is no access token.
func kindOfType(t string) authz.TokenKind {
	switch plainType(t) {
	case "bearer", "dpop", "access_token", "access":
		return authz.AccessToken
	case "refresh", "refresh_token", "offline", "n_a":
		return authz.RefreshToken
	case "id", "id_token", "logout":
		return authz.IDToken
	}
	return authz.UnknownToken
}

// oddType reports whether the token_type of an answer says how the token is used (RFC 6749 section 7.1), in a way that
// is not checked here: MAC, PoP and their kin. Some servers write access_token or the format of the token, and Apigee
// BearerToken.
func oddType(t string) bool {
	return t != "" && !slices.Contains([]string{"bearertoken", "jwt", "at+jwt"}, plainType(t)) &&
		kindOfType(t) == authz.UnknownToken
}

// oddJWTType is oddType for a JWT, which has no such claim by any standard: servers give it meanings of their own, and
// only the names of known types count.
func oddJWTType(t string) bool { return slices.Contains([]string{"mac", "pop", "hok"}, plainType(t)) }
