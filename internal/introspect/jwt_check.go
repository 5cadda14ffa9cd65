package introspect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

const (
	maxJWTLeeway = time.Minute
	minSignedAge = time.Second
	maxSignedAge = 10 * time.Minute
)

// fault is one thing that is wrong with a configuration.
type fault struct{ key, cause, hint string }

// checkModes reports what is wrong with the ways to look at tokens, and with what they need.
func (c Config) checkModes(report func(key, cause, hint string)) {
	if m := c.Mode; m != "" && !slices.Contains(authz.Modes(), m) {
		report("mode", fmt.Sprintf("%q is unknown", string(m)), "use one of introspect, jwt, jwt_then_introspect, introspect_opaque")
	}
	c.checkJWT(report)
	if c.mode().Local() {
		for _, f := range c.localFaults() {
			report(f.key, f.cause, f.hint)
		}
	}
	c.checkSigned(report)
}

// checkJWT looks at what is wrong whatever the mode is.
func (c Config) checkJWT(report func(key, cause, hint string)) {
	checkWords("jwt.algorithms", c.JWT.Algorithms, jose.SignatureAlgorithms(), report)
	for i, t := range c.JWT.Types {
		if foreignType(t) {
			report(fmt.Sprintf("jwt.types[%d]", i), fmt.Sprintf("%q is the type of another kind of JWT, which is never an access token", t), "remove it")
		}
	}
	for i, name := range c.JWT.OptionalClaims {
		key := fmt.Sprintf("jwt.optional_claims[%d]", i)
		switch {
		case name == "aud":
			report(key, "whether aud may be absent is said elsewhere", "set absent_audience to accept")
		case name == "iss" || name == "exp":
			report(key, name+" is never optional", "remove it")
		case !slices.Contains(requiredClaims(), name):
			report(key, fmt.Sprintf("%q is no claim that RFC 9068 section 2.2 requires", name), "remove it")
		}
	}
	if d := c.JWT.Leeway; d < 0 || d > maxJWTLeeway {
		report("jwt.leeway", fmt.Sprintf("%s is not between 0s and %s", d, maxJWTLeeway), "")
	}
}

func checkWords(key string, words, known []string, report func(key, cause, hint string)) {
	for i, w := range words {
		if !slices.Contains(known, w) {
			report(fmt.Sprintf("%s[%d]", key, i), fmt.Sprintf("%q is not supported", w), "use some of "+strings.Join(known, ", "))
		}
	}
}

// localFaults are the reasons why JWT cannot be validated here. They are faults when the mode needs that, and otherwise the
// answer to a route that demands it.
func (c Config) localFaults() []fault {
	var all []fault
	if c.Endpoint.Issuer == "" {
		all = append(all, fault{"issuer", "is empty, and a JWT must name it", "set issuer to what the server writes into iss"})
	}
	if own := c.Match.Issuers; len(own) > 0 && !slices.Contains(own, c.Endpoint.Issuer) { // RFC 9068 section 4: exactly that one
		all = append(all, fault{"match.issuers", "leaves out issuer, and of the JWTs validated here only those that name it pass", "add issuer, or set issuer to what the server writes into iss"})
	}
	if len(c.Dialect.Audience) == 0 { // RFC 8725 section 3.9; JAT-3
		all = append(all, fault{"audience", "is empty, and a JWT that nobody is asked about must be for this API", "list the identifiers of this API that the server writes into aud"})
	}
	if len(c.JWT.Algorithms) == 0 {
		all = append(all, fault{"jwt.algorithms", "is empty", "name what the server signs with, such as RS256"})
	}
	return append(all, c.keyFaults()...)
}

func (c Config) keyFaults() []fault {
	if c.Endpoint.JWKSURI == "" && !c.Endpoint.Discoverable() {
		return []fault{{"jwks_uri", "is empty, and there is no issuer whose metadata could name it", "set jwks_uri, or issuer to an https URL"}}
	}
	return nil
}

func (c Config) checkSigned(report func(key, cause, hint string)) {
	s := c.SignedResponse
	checkWords("signed_response.algorithms", s.Algorithms, jose.SignatureAlgorithms(), report)
	checkWords("signed_response.encryption_algorithms", s.EncryptionAlgorithms, jose.EncryptionAlgorithms(), report)
	checkWords("signed_response.encryption_encodings", s.EncryptionEncodings, jose.EncryptionEncodings(), report)
	if !s.DecryptionKey.IsZero() && s.DecryptionKey.File != "" && s.DecryptionKey.Env != "" {
		report("signed_response.decryption_key", "names both a file and an environment variable", "keep one of the two")
	}
	if !c.RequireSigned {
		if !s.DecryptionKey.IsZero() {
			report("signed_response.decryption_key", "is set, and nothing asks for signed responses", "set require_signed")
		}
		return
	}
	for _, f := range c.keyFaults() {
		report(f.key, f.cause, f.hint)
	}
	if c.Endpoint.Issuer == "" {
		report("issuer", "is empty, and a signed response must name it", "set issuer to what the server calls itself")
	}
	if c.signedAudience() == "" {
		report("signed_response.audience", "neither it nor client.id is set", "set it to what the server calls this client in aud")
	}
	if len(s.Algorithms) == 0 {
		report("signed_response.algorithms", "is empty", "name what the server signs with, such as RS256")
	}
	if s.MaxAge < minSignedAge || s.MaxAge > maxSignedAge {
		report("signed_response.max_age", fmt.Sprintf("%s is not between %s and %s", s.MaxAge, minSignedAge, maxSignedAge), "")
	}
	if !s.DecryptionKey.IsZero() && (len(s.EncryptionAlgorithms) == 0 || len(s.EncryptionEncodings) == 0) {
		report("signed_response.encryption_algorithms", "it or encryption_encodings is empty", "name what this client is registered with")
	}
}

func (c Config) signedAudience() string {
	if c.SignedResponse.Audience != "" {
		return c.SignedResponse.Audience
	}
	return c.Endpoint.Client.ID
}

// Reached is the part of c that reaches the server. Where no question is asked about tokens, no credentials are needed for it.
func (c Config) Reached() oauth.Config {
	s := c.Endpoint
	if c.mode() == JWT && !s.Client.HasCredentials() {
		s.Client.Auth = oauth.NoAuth
	}
	return s
}

// needs are the endpoints without which the configured mode does not work, and wants those that a route may demand.
func (c Config) needs() (needs, wants []oauth.Endpoint) {
	if c.mode() == JWT {
		wants = append(wants, oauth.Introspection)
	} else {
		needs = append(needs, oauth.Introspection)
	}
	switch {
	case c.mode().Local() || c.RequireSigned:
		needs = append(needs, oauth.JWKS)
	case len(c.localFaults()) == 0:
		wants = append(wants, oauth.JWKS)
	}
	return needs, wants
}
