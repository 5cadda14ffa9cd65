package local

import (
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/jose"
)

// requiredClaims are the claims of RFC 9068 section 2.2.
func requiredClaims() []string {
	return []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti"}
}

// claimRules is what the claims of an access token must be, once its signature is good.
type claimRules struct {
	issuer         string
	audience       []string
	absentAudience string
	optional       []string
	// leeway is for exp, notBefore for nbf and ahead for iat.
	leeway, notBefore, ahead time.Duration
}

// signed says why t, although signed by the issuer, is no access token for this API: JAT-3, JAT-4, JWI-9, BCP-3,
// BCP-5.
func (r claimRules) signed(t jose.Token) authz.Unusable {
	c, _ := jose.ReadClaims(t.Claims) // it is an object: the token has been verified
	iss, err := c.Text("iss")
	switch {
	case c.Has("token_introspection"):
		return authz.NotUsable(authz.WrongType, "is an introspection response")
	case c.Has("events"):
		return authz.NotUsable(authz.WrongType, "is a security event or a logout token")
	case c.Has("htm", "htu"):
		return authz.NotUsable(authz.WrongType, "is a DPoP proof")
	case err != nil:
		return unreadable(err)
	case iss == "":
		return authz.NotUsable(authz.BadClaims, "has no iss")
	case iss != r.issuer:
		return dialect.OtherIssuer(iss, r.issuer)
	}
	for _, name := range requiredClaims() {
		if why := r.missing(c, name); !why.OK() {
			return why
		}
	}
	switch aud, err := c.Names("aud"); {
	case err != nil:
		return unreadable(err)
	case c.Has("aud") && !slices.ContainsFunc(aud, func(a string) bool { return slices.Contains(r.audience, a) }):
		return dialect.OtherAudience(aud, r.audience)
	}
	return authz.Unusable{}
}

// missing says why a required claim does not pass. iss and exp are always required; aud follows absent_audience. An
// iat that cannot be read counts as absent.
func (r claimRules) missing(c jose.Claims, name string) authz.Unusable {
	said, err := c.Has(name), error(nil)
	switch name {
	case "aud":
		if !said && r.absentAudience != "accept" {
			return dialect.NoAudience(r.audience)
		}
		return authz.Unusable{}
	case "exp", "iat":
		_, err = c.Time(name, jose.Down)
	default:
		var s string
		s, err = c.Name(name)
		said = said && (s != "" || err != nil)
	}
	optional := name != "iss" && name != "exp" && slices.Contains(r.optional, name)
	switch {
	case optional && (!c.Has(name) || name == "iat"):
		return authz.Unusable{}
	case err != nil:
		return unreadable(err)
	case !said:
		return authz.NotUsable(authz.BadClaims, "has no "+name)
	}
	return authz.Unusable{}
}

// unreadable is why a token whose claims a reader did not take is no good. err names the claim.
func unreadable(err error) authz.Unusable {
	return authz.NotUsable(authz.BadClaims, "has claims that cannot be read: "+err.Error())
}

// early says why a token is not valid yet. It becomes valid by itself.
func (r claimRules) early(c *authz.Claims, now time.Time) authz.Unusable {
	switch {
	case c.IssuedAt > authz.At(now.Add(r.ahead)):
		return authz.NotUsable(authz.NotYetValid, "was issued in the future: the clocks differ")
	case c.NotBefore != 0 && c.NotBefore > authz.At(now.Add(r.notBefore)):
		return authz.NotUsable(authz.NotYetValid, "is not valid yet")
	}
	return authz.Unusable{}
}

// read says why a token is no good after its claims have been read.
func (r claimRules) read(c *authz.Claims, t jose.Token, now time.Time) authz.Unusable {
	if c.ExpiresAt == 0 {
		return authz.NotUsable(authz.BadClaims, "has no exp")
	}
	if why := c.Usable(now); !why.OK() {
		return why
	}
	return confusable(c, t)
}

// confusable says why a token that does not call itself an access token is taken for another kind. Where typ says
// at+jwt it has said enough. Elsewhere ID tokens have the same issuer, key and typ as access tokens, and with a
// careless audience the same audience: so nothing may speak for an ID token, and something must speak for an access
// token.
func confusable(c *authz.Claims, t jose.Token) authz.Unusable {
	if strings.TrimPrefix(strings.ToLower(t.Header.Type), "application/") == "at+jwt" {
		c.Kind = authz.AccessToken
	}
	if c.Kind == authz.AccessToken {
		return authz.Unusable{}
	}
	m, _ := jose.ReadClaims(t.Claims)
	switch {
	case m.Has("at_hash", "c_hash", "s_hash", "nonce"):
		return authz.NotUsable(authz.WrongType, "is an ID token")
	case !m.Has("scope", "scp", "client_id", "cid", "appid", "azpacr", "idtyp", "gty", "permissions"):
		return authz.NotUsable(authz.WrongType, "has nothing that an ID token lacks")
	}
	return authz.Unusable{}
}
