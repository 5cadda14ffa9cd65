package introspect

import (
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
)

// clockSkew is how far ahead of ours an issuer's clock may always be when it says when it issued something. That harms
// nobody: nbf and exp are what bounds a token. Further ahead, one of the clocks is wrong.
const clockSkew = 10 * time.Second

// requiredClaims are those of RFC 9068 section 2.2.
func requiredClaims() []string {
	return []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti"}
}

// claimRules is what the claims of an access token must be, once its signature is good.
type claimRules struct {
	issuer            string
	audience          []string
	absentAudience    string
	optional          []string
	leeway, notBefore time.Duration
}

// claims is a JSON object whose values are not read yet.
type claims map[string]jsontext.Value

func claimsOf(v jsontext.Value) claims {
	var c claims
	if v.Kind() != '{' || json.Unmarshal(v, &c) != nil {
		return nil
	}
	return c
}

func (c claims) has(name string) bool {
	v, ok := c[name]
	return ok && v.Kind() != 'n'
}

func (c claims) any(names ...string) bool { return slices.ContainsFunc(names, c.has) }

// said is any for members whose mere name is evidence: null is no excuse.
func (c claims) said(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { _, ok := c[name]; return ok })
}

// text returns a member that is a string; "" when it is none.
func (c claims) text(name string) string {
	var s string
	if v := c[name]; v.Kind() != '"' || json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

// texts returns a string as a list of one, and an array when all in it are strings.
func (c claims) texts(name string) []string {
	if s := c.text(name); s != "" {
		return []string{s}
	}
	var all []string
	if v := c[name]; v.Kind() != '[' || json.Unmarshal(v, &all) != nil {
		return nil
	}
	return all
}

// integer returns a member that is a whole number of seconds.
func (c claims) integer(name string) (authz.Time, bool) {
	var n int64
	if v := c[name]; v.Kind() != '0' || json.Unmarshal(v, &n) != nil {
		return 0, false
	}
	return authz.Time(n), true
}

// signed says why the issuer's signature does not make t an access token for us: JAT-3, JAT-4, JWI-9, BCP-3, BCP-5.
func (r claimRules) signed(t jose.Token) string {
	c := claimsOf(t.Claims)
	switch {
	case c.said("token_introspection"):
		return "is an introspection response"
	case c.said("events"):
		return "is a security event or a logout token"
	case c.said("htm", "htu"):
		return "is a DPoP proof"
	case c.text("iss") != r.issuer:
		return "was issued by another issuer than the configured one"
	}
	for _, name := range requiredClaims() {
		if why := r.missing(c, name); why != "" {
			return why
		}
	}
	if c.has("aud") && !slices.ContainsFunc(c.texts("aud"), func(a string) bool { return slices.Contains(r.audience, a) }) {
		return "is for another audience"
	}
	return ""
}

// missing says why a required claim does not pass. Nothing makes iss and exp optional, and aud only what was said of tokens
// without one.
func (r claimRules) missing(c claims, name string) string {
	switch name {
	case "aud":
		if !c.has(name) && r.absentAudience != "accept" {
			return "names no audience"
		}
		return ""
	case "iss", "exp":
	default:
		if !c.has(name) && slices.Contains(r.optional, name) {
			return ""
		}
	}
	good := c.text(name) != ""
	if name == "exp" || name == "iat" {
		good = c[name].Kind() == '0'
	}
	if !good {
		return "has no " + name + " that can be read"
	}
	return ""
}

// early says why a token is not good yet. Time mends that.
func (r claimRules) early(c *authz.Claims, now time.Time) string {
	switch {
	case c.IssuedAt > authz.At(now.Add(max(r.leeway, clockSkew))):
		return "was issued in the future: the clocks differ"
	case c.NotBefore != 0 && c.NotBefore > authz.At(now.Add(r.notBefore)):
		return "is not valid yet"
	}
	return ""
}

// read says why a token is no good after its claims have been read.
func (r claimRules) read(c *authz.Claims, t jose.Token, now time.Time) string {
	if c.ExpiresAt == 0 {
		return "has no exp that can be read"
	}
	if why := c.Usable(now); why != "" {
		return why
	}
	return confusable(c, t)
}

// confusable says why a token that does not call itself an access token is taken for another kind. Where typ says at+jwt
// it has said enough. Elsewhere ID tokens have the same issuer, key and typ as access tokens, and with a careless audience
// the same audience: so nothing may speak for an ID token, and something must speak for an access token.
func confusable(c *authz.Claims, t jose.Token) string {
	if strings.TrimPrefix(strings.ToLower(t.Header.Type), "application/") == "at+jwt" {
		c.Kind = authz.AccessToken
	}
	if c.Kind == authz.AccessToken {
		return ""
	}
	m := claimsOf(t.Claims)
	switch {
	case m.said("at_hash", "c_hash", "s_hash", "nonce"):
		return "is an ID token"
	case !m.any("scope", "scp", "client_id", "cid", "appid", "azpacr", "idtyp", "gty", "permissions"):
		return "has nothing that an ID token lacks"
	}
	return ""
}
