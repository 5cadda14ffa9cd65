package issuer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/introspect/cache"
	"github.com/authz-sidecar/sidecar/internal/introspect/guard"
	"github.com/authz-sidecar/sidecar/internal/introspect/local"
	"github.com/authz-sidecar/sidecar/internal/introspect/remote"
	"github.com/authz-sidecar/sidecar/internal/introspect/route"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// Config is one issuer: where it is, how it speaks, which tokens are its, and how long to believe what it said.
type Config struct {
	Endpoint oauth.Config   `yaml:",inline"`
	Dialect  dialect.Config `yaml:",inline"`

	Credential     token.Carrier         `yaml:"credential" doc:"Where requests carry the tokens of this issuer, and of no other that says nothing else; empty is decision.credential. A listener with a credential of its own takes all tokens there."`
	Match          route.Match           `yaml:"match" doc:"Which tokens belong to this issuer. A single issuer has all tokens, except JWTs with the iss of another."`
	Mode           authz.Mode            `yaml:"mode" default:"introspect" enum:"introspect|jwt|jwt_then_introspect|introspect_opaque" doc:"How tokens are validated: by introspection (RFC 7662), locally as JWTs (RFC 9068), both in turn, or JWTs locally and opaque tokens by introspection."`
	JWT            local.Config          `yaml:"jwt" doc:"Local validation of JWT access tokens."`
	RequireSigned  bool                  `yaml:"require_signed" doc:"Request signed introspection responses (RFC 9701), and accept no others."`
	SignedResponse remote.SignedResponse `yaml:"signed_response" doc:"Requirements for signed introspection responses."`

	MaxInFlight int          `yaml:"max_in_flight" default:"512" min:"1" doc:"Most introspection requests in flight; further ones are refused as unavailable."`
	Protection  guard.Config `yaml:"protection" doc:"Retries, circuit breaker, and limits on unknown tokens."`
	Cache       cache.Config `yaml:"cache" doc:"Cache of introspection answers."`
	Canary      Canary       `yaml:"canary" doc:"A token of the sidecar's own that is introspected periodically."`
}

// Canary is a token that must be active. It is the only sign that a server no longer tells the sidecar about tokens,
// where it answers "not active" instead.
type Canary struct {
	Every time.Duration `yaml:"every" default:"0s" max:"1h" doc:"Interval between its introspections; at least 1s. While the token is not active, the sidecar is not ready. 0 turns the canary off."`
	Scope []string      `yaml:"scope" doc:"Scopes requested for the token, by the client_credentials grant. Empty requests those of client.scope."`
}

// Check reports what the tags cannot say: the key is a dotted name such as "client.secret", the cause says what is
// wrong, and the hint, which may be empty, what to do. It reads no file, uses no network and prints no secret. The
// words that choose a mode may be empty and then mean their documented default.
func (c Config) Check(fault func(key, cause, hint string)) {
	c.Reached().Check(fault)
	c.Dialect.Check(fault)
	c.checkModes(fault)
	c.checkDialect(fault)
	c.Canary.check(c, fault)
}

// Warn reports what is allowed, and most likely a mistake at this kind of server. Key, cause and hint are like those
// of Check.
func (c Config) Warn(warn func(key, cause, hint string)) {
	client := c.Endpoint.Client
	advice, audience := c.Dialect.Advice(client.ID), strings.TrimSuffix(client.AssertionAudience, "/")
	if advice.IssuerOnly && audience != "" && audience != strings.TrimSuffix(c.Endpoint.Issuer, "/") &&
		client.SignsAssertions() {
		warn("client.assertion_audience",
			fmt.Sprintf("is %q, and a server of dialect %s that sees an assertion for another audience calls "+
				"every token inactive", client.AssertionAudience, c.Dialect.Dialect),
			"remove it: "+advice.AssertionAudience)
	}
	if ends := c.Dialect.JWTEnding(); c.Cache.RevocationMemory == 0 &&
		(c.mode().Local() || ends == dialect.SignatureOnly) {
		warn("cache.revocation_memory",
			"is 0: a JWT that is validated locally, or that its server cannot end, is active again once revoked",
			"make it no less than the longest life of a JWT")
	}
}

// checkDialect checks the mode and the client authentication against the dialect. Dialect.Check reports an unknown
// dialect.
func (c Config) checkDialect(fault func(key, cause, hint string)) {
	name, encoding := c.Dialect.Dialect, c.Dialect.Encoding()
	switch {
	case encoding == dialect.Unasked && c.Mode != authz.ModeJWT:
		fault("mode", fmt.Sprintf("%q asks the server, and one of dialect %s cannot be asked about tokens",
			cmp.Or(c.Mode, authz.ModeIntrospect), name), "set mode to jwt")
	case !c.Dialect.HasJWTs() && c.Mode != authz.ModeIntrospect && c.Mode != "":
		fault("mode", fmt.Sprintf("%q needs tokens that are JWTs, and dialect %s has none", c.Mode, name),
			"set mode to introspect")
	}
	if c.Dialect.NeedsAudience() {
		fault("audience",
			fmt.Sprintf("is empty, and a server of dialect %s calls the tokens of all clients active", name),
			"list the client ids whose tokens may be used here")
	}
	if encoding == dialect.JSON && c.Endpoint.Client.NeedsForm() {
		fault("client.auth", fmt.Sprintf("%s needs a form, and a server of dialect %s takes JSON",
			c.Endpoint.Client.Auth, name), "set client.auth to client_secret_basic")
	}
}

// issuedSkew is how far ahead of the sidecar's an issuer's clock may always be when it says when it issued something.
// nbf and exp are what bounds a token. Further ahead, one of the clocks is wrong.
const issuedSkew = 10 * time.Second

// notBeforeAhead is how far the issuer's clock may be ahead, so that a token that is "not yet valid" is: the one
// tolerance for nbf of introspected tokens and of JWTs. jwt.leeway, which is older, widens it.
func (c Config) notBeforeAhead() time.Duration { return max(c.Dialect.NotBeforeLeeway, c.JWT.Leeway) }

// issuedAhead is the same for iat of JWTs and of signed responses.
func (c Config) issuedAhead() time.Duration { return max(c.notBeforeAhead(), issuedSkew) }

// reader reads what the server of c says.
func (c Config) reader() *dialect.Reader {
	reading := c.Dialect
	reading.NotBeforeLeeway = c.notBeforeAhead()
	return dialect.New(reading, c.Endpoint.Issuer, c.Match.Issuers...)
}

// mode is the configured one; the empty word means its documented default.
func (c Config) mode() authz.Mode { return cmp.Or(c.Mode, authz.ModeIntrospect) }

// routed is what routing needs to know of c.
func (c Config) routed() route.Issuer {
	return route.Issuer{Name: c.Endpoint.Name, Identifier: c.Endpoint.Issuer, Match: c.Match,
		Place: c.Credential.Place(), RefusedPrefixes: c.reader().RefusedPrefixes()}
}

// algorithms adds to EdDSA its other name: RFC 9864 names the curve, and servers are changing over.
func algorithms(allowed []string) []string {
	if slices.Contains(allowed, "EdDSA") && !slices.Contains(allowed, "Ed25519") {
		return append(slices.Clone(allowed), "Ed25519")
	}
	return slices.Clone(allowed)
}
