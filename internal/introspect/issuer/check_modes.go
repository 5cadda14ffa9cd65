package issuer

import (
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// fault is one thing that is wrong with a configuration.
type fault struct{ key, cause, hint string }

// checkModes reports what is wrong with the ways to look at tokens, and with what they need.
func (c Config) checkModes(report func(key, cause, hint string)) {
	if c.mode().Local() {
		for _, f := range c.localFaults() {
			report(f.key, f.cause, f.hint)
		}
	}
	c.checkSigned(report)
}

// localFaults are the reasons why no JWT can be validated locally. They are faults when the mode needs that, and
// otherwise the answer to an entrypoint that demands it.
func (c Config) localFaults() []fault {
	var all []fault
	if c.Endpoint.Issuer == "" {
		all = append(all, fault{"issuer", "is empty, and a JWT must name it",
			"set issuer to what the server writes into iss"})
	}
	if own := c.Match.Issuers; len(own) > 0 &&
		!slices.Contains(own, c.Endpoint.Issuer) { // RFC 9068 section 4: exactly that one
		all = append(all, fault{"match.issuers",
			"leaves out issuer, and of the JWTs validated locally only those that name it pass",
			"add issuer, or set issuer to what the server writes into iss"})
	}
	if len(c.Dialect.Audience) == 0 { // RFC 8725 section 3.9; JAT-3
		all = append(all, fault{"audience", "is empty, and a JWT that is validated locally must be for this API",
			"list the identifiers of this API that the server writes into aud"})
	}
	if len(c.JWT.Algorithms) == 0 {
		all = append(all, fault{"jwt.algorithms", "is empty", "name what the server signs with, such as RS256"})
	}
	return append(all, c.keyFaults()...)
}

func (c Config) keyFaults() []fault {
	if c.Endpoint.JWKSURI == "" && !c.Endpoint.Discoverable() {
		return []fault{{"jwks_uri", "is empty, and there is no issuer whose metadata could name it",
			"set jwks_uri, or issuer to an https URL"}}
	}
	return nil
}

func (c Config) checkSigned(report func(key, cause, hint string)) {
	s := c.SignedResponse
	if !c.RequireSigned {
		if !s.DecryptionKey.IsZero() {
			report("signed_response.decryption_key", "is set, and nothing asks for signed responses",
				"set require_signed")
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
		report("signed_response.audience", "neither it nor client.id is set",
			"set it to what the server calls this client in aud")
	}
	if len(s.Algorithms) == 0 {
		report("signed_response.algorithms", "is empty", "name what the server signs with, such as RS256")
	}
	if !s.DecryptionKey.IsZero() && (len(s.EncryptionAlgorithms) == 0 || len(s.EncryptionEncodings) == 0) {
		report("signed_response.encryption_algorithms", "it or encryption_encodings is empty",
			"name what this client is registered with")
	}
}

func (c Config) signedAudience() string {
	if c.SignedResponse.Audience != "" {
		return c.SignedResponse.Audience
	}
	return c.Endpoint.Client.ID
}

// Reached is the part of c that reaches the server. Where no question is asked about tokens, no credentials are
// needed for it.
func (c Config) Reached() oauth.Config {
	s := c.Endpoint
	if c.mode() == authz.ModeJWT && !s.Client.HasCredentials() {
		s.Client.Auth = oauth.NoAuth
	}
	return s
}

// needs are the endpoints without which the configured mode does not work, and wants those that an entrypoint may
// demand.
func (c Config) needs() (needs, wants []oauth.Endpoint) {
	if c.mode() == authz.ModeJWT {
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

// noIntrospection reports whether the server cannot be asked: nothing says how.
func (c Config) noIntrospection() bool {
	return c.Dialect.Encoding() == dialect.Unasked || !c.Reached().Client.Authenticates() &&
		c.Endpoint.IntrospectionEndpoint == ""
}

// localUnavailable says why no JWT can be validated locally, or is empty.
func (c Config) localUnavailable() string {
	var causes []string
	for _, f := range c.localFaults() {
		causes = append(causes, f.key+" "+f.cause)
	}
	if !c.Dialect.HasJWTs() {
		causes = append(causes, "dialect has no tokens that are JWTs")
	}
	return strings.Join(causes, "; ")
}
