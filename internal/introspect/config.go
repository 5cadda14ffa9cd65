package introspect

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Config is one issuer: where it is, how it speaks, which tokens are its, and how long to believe what it said.
type Config struct {
	Endpoint oauth.Config   `yaml:",inline"`
	Dialect  dialect.Config `yaml:",inline"`

	Match          Match          `yaml:"match" doc:"Which tokens are this issuer's. With one issuer, all are but JWTs that name another."`
	Mode           Mode           `yaml:"mode" default:"introspect" enum:"introspect|jwt|jwt_then_introspect|introspect_opaque" doc:"How tokens are looked at: asked about (RFC 7662), validated here (RFC 9068), both, or each where it can be."`
	JWT            JWTConfig      `yaml:"jwt" doc:"Local validation of JWT access tokens."`
	RequireSigned  bool           `yaml:"require_signed" doc:"Ask for signed introspection responses (RFC 9701), and take no other."`
	SignedResponse SignedResponse `yaml:"signed_response" doc:"What a signed introspection response must be."`

	MaxInFlight int         `yaml:"max_in_flight" default:"512" min:"1" doc:"Questions under way at once; more are refused as unavailable."`
	Protection  Protection  `yaml:"protection" doc:"What spares the server, and us, when one of the two is in trouble."`
	Cache       CacheConfig `yaml:"cache" doc:"How long answers are kept."`
	Canary      Canary      `yaml:"canary" doc:"A token of the sidecar's own that is asked about from time to time."`
}

// Match says which tokens are an issuer's. A JWT that names an iss is that issuer's; of any other token prefix and length
// are looked at. Hosts and headers of the request narrow both. What is empty is not looked at.
type Match struct {
	Issuers   []string `yaml:"issuers" doc:"Values of iss, in tokens and in answers. Empty is the issuer itself."`
	Prefixes  []string `yaml:"prefixes" doc:"How its opaque tokens begin."`
	MinLength int      `yaml:"min_length" doc:"Length in bytes of its shortest opaque token."`
	MaxLength int      `yaml:"max_length" doc:"Length in bytes of its longest opaque token. 0 sets no limit."`
	Hosts     []string `yaml:"hosts" doc:"Hosts of requests whose tokens are its: names without port."`
	Header    string   `yaml:"header" doc:"Name of a request header, such as x-tenant, whose value tells."`
	Values    []string `yaml:"values" doc:"Values of that header."`
	Default   bool     `yaml:"default" doc:"Take the opaque tokens that no other issuer takes."`
}

// JWTConfig bounds what passes as a JWT access token: RFC 9068 section 4, RFC 8725.
type JWTConfig struct {
	Types          []string      `yaml:"types" items:"blank" doc:"Accepted typ; an empty item accepts a token without one. Empty is what the dialect says, at+jwt by default."`
	Algorithms     []string      `yaml:"algorithms" default:"RS256,PS256,ES256,ES384,EdDSA" doc:"Accepted alg. Never none, never a shared secret."`
	OptionalClaims []string      `yaml:"optional_claims" doc:"Claims of RFC 9068 section 2.2 that this server leaves out, besides those that the dialect knows of."`
	Leeway         time.Duration `yaml:"leeway" default:"0s" max:"60s" doc:"How far the server's clock may be behind: for exp of a JWT that is validated here only. Where it is greater than not_before_leeway it holds for that, too."`
}

// SignedResponse bounds what passes as a signed introspection response: RFC 9701.
type SignedResponse struct {
	Algorithms           []string      `yaml:"algorithms" default:"RS256" doc:"Accepted alg of the signature."`
	Audience             string        `yaml:"audience" doc:"Who we are in aud. Empty is client.id."`
	MaxAge               time.Duration `yaml:"max_age" default:"60s" min:"1s" max:"10m" doc:"Greatest age by iat; such a response can be replayed."`
	DecryptionKey        secret.Source `yaml:"decryption_key" doc:"Private key, PEM or JWK, of responses that are encrypted too. With it a response that is not encrypted is refused."`
	EncryptionAlgorithms []string      `yaml:"encryption_algorithms" default:"RSA-OAEP-256,ECDH-ES" doc:"Accepted alg of the encryption."`
	EncryptionEncodings  []string      `yaml:"encryption_encodings" default:"A128CBC-HS256,A256GCM" doc:"Accepted enc of the encryption."`
}

// Protection bounds what an outage, or a flood of unknown tokens, may cost.
type Protection struct {
	Retries         int           `yaml:"retries" default:"1" min:"0" max:"3" doc:"Further attempts after a failed connection or a 502, 503 or 504, within timeout."`
	BreakerFailures int           `yaml:"breaker_failures" default:"10" min:"1" doc:"Failures in a row (no answer, 429 or 5xx) after which the server is left alone."`
	BreakerDelay    time.Duration `yaml:"breaker_delay" default:"250ms" min:"10ms" max:"1m" doc:"Pause between questions that find out whether it is back."`
	UnknownTokens   float64       `yaml:"unknown_tokens" default:"1000" min:"0" doc:"Tokens a second, never seen to be good, that may turn out not to be. Over it only those lately good are asked about. 0 sets no limit."`
	UnknownBySource float64       `yaml:"unknown_tokens_by_source" default:"50" min:"0" doc:"The same for each client address (IPv6: /64) that callers name. 0 sets no limit."`
}

// Canary is a token that must be active: the only sign that a server no longer tells us about tokens, where it says
// "not active" instead.
type Canary struct {
	Every time.Duration `yaml:"every" default:"0s" max:"1h" doc:"Pause between questions about it; at least 1s. While it is not active the sidecar is not ready. 0 sends none."`
	Scope []string      `yaml:"scope" doc:"Scopes that the token is got with, by the client_credentials grant. Empty are those of client.scope."`
}

// CacheConfig bounds the cache of answers in time and in memory.
type CacheConfig struct {
	TTL                time.Duration `yaml:"ttl" default:"30s" doc:"Soft lifetime of an active answer: within it nobody is asked; never past exp. 0 asks every time."`
	HardTTL            time.Duration `yaml:"hard_ttl" default:"0s" doc:"Hard lifetime: between the two the answer is used, marked stale, and refreshed in the background. 0 is the soft one."`
	StaleIfError       time.Duration `yaml:"stale_if_error" default:"0s" doc:"How long past its hard lifetime an answer is used when the server has failed: no answer in time, a broken connection, a 5xx. Never past exp."`
	CacheControl       string        `yaml:"cache_control" default:"ignore" enum:"ignore|respect" doc:"respect lets a max-age or no-store of the server shorten the lifetimes."`
	NegativeTTL        time.Duration `yaml:"negative_ttl" default:"2s" max:"1m" doc:"Time an inactive answer is used. 0 asks every time."`
	MaxEntries         int           `yaml:"max_entries" default:"100000" min:"1" doc:"Most active answers kept."`
	MaxBytes           int64         `yaml:"max_bytes" default:"134217728" min:"1048576" doc:"Most memory spent on active answers, estimated."`
	NegativeMaxEntries int           `yaml:"negative_max_entries" default:"10000" min:"1" doc:"Most inactive answers kept, apart from the active ones."`
	RevocationMemory   time.Duration `yaml:"revocation_memory" default:"24h" max:"720h" doc:"Time a revocation is remembered against JWTs that are validated here: no less than the longest life of one. 0 forgets at once."`
}

// Check reports every fault of c: the key is a dotted name such as "client.secret", the cause says what is wrong, and the
// hint, which may be empty, what to do. It reads no file, asks nobody and prints no secret.
// The words that choose a mode may be empty and then mean their documented default.
func (c Config) Check(fault func(key, cause, hint string)) {
	c.Reached().Check(fault)
	c.Dialect.Check(fault)
	c.checkModes(fault)
	c.checkDialect(fault)
	c.Match.check(fault)
	c.Canary.check(c, fault)
	for _, d := range []struct {
		key      string
		value    time.Duration
		min, max time.Duration
	}{
		{"cache.ttl", c.Cache.TTL, 0, 24 * time.Hour},
		{"cache.hard_ttl", c.Cache.HardTTL, 0, 24 * time.Hour},
		{"cache.stale_if_error", c.Cache.StaleIfError, 0, 24 * time.Hour},
		{"cache.negative_ttl", c.Cache.NegativeTTL, 0, time.Hour},
		{"cache.revocation_memory", c.Cache.RevocationMemory, 0, 30 * 24 * time.Hour},
	} {
		if d.value < d.min || d.value > d.max {
			fault(d.key, fmt.Sprintf("%s is not between %s and %s", d.value, d.min, d.max), "")
		}
	}
	switch {
	case c.Cache.HardTTL != 0 && c.Cache.TTL == 0:
		fault("cache.hard_ttl", "is set, and cache.ttl is 0, which asks every time", "set cache.ttl to the time within which nobody is asked")
	case c.Cache.HardTTL != 0 && c.Cache.HardTTL < c.Cache.TTL:
		fault("cache.hard_ttl", fmt.Sprintf("%s is shorter than cache.ttl, %s", c.Cache.HardTTL, c.Cache.TTL), "make it longer, or leave it out")
	}
	if w := c.Cache.CacheControl; w != "" && w != "ignore" && w != "respect" {
		fault("cache.cache_control", fmt.Sprintf("%q is unknown", w), "use one of ignore, respect")
	}
	for _, n := range []struct {
		key        string
		value, min int64
	}{
		{"max_in_flight", int64(c.MaxInFlight), 1},
		{"cache.max_entries", int64(c.Cache.MaxEntries), 1},
		{"cache.max_bytes", c.Cache.MaxBytes, 1},
		{"cache.negative_max_entries", int64(c.Cache.NegativeMaxEntries), 1},
	} {
		if n.value < n.min {
			fault(n.key, fmt.Sprintf("%d is less than %d", n.value, n.min), "")
		}
	}
}

// Warn reports what is no fault of c by itself, and at this kind of server most likely is one: key, cause and hint are like those
// of Check.
func (c Config) Warn(warn func(key, cause, hint string)) {
	client := c.Endpoint.Client
	advice, audience := c.Dialect.Advice(client.ID), strings.TrimSuffix(client.AssertionAudience, "/")
	if advice.IssuerOnly && audience != "" && audience != strings.TrimSuffix(c.Endpoint.Issuer, "/") && client.SignsAssertions() {
		warn("client.assertion_audience", fmt.Sprintf("is %q, and a server of dialect %s that sees an assertion for another than itself calls every token inactive", client.AssertionAudience, c.Dialect.Dialect),
			"remove it: "+advice.AssertionAudience)
	}
	if ends := c.Dialect.JWTEnding(); c.Cache.RevocationMemory == 0 && (c.mode().Local() || ends == dialect.SignatureOnly) {
		warn("cache.revocation_memory", "is 0: a JWT that was validated here, or that its server cannot end, is good again right after it was revoked",
			"make it no less than the longest life of a JWT")
	}
}

// checkDialect sees that tokens are looked at in a way that the server knows. An unknown dialect is not its business.
func (c Config) checkDialect(fault func(key, cause, hint string)) {
	name, encoding := c.Dialect.Dialect, c.Dialect.Encoding()
	switch {
	case encoding == dialect.Unasked && c.Mode != JWT:
		fault("mode", fmt.Sprintf("%q asks the server, and one of dialect %s cannot be asked about tokens", cmp.Or(c.Mode, Introspect), name), "set mode to jwt")
	case !c.Dialect.HasJWTs() && c.Mode != Introspect && c.Mode != "":
		fault("mode", fmt.Sprintf("%q needs tokens that are JWTs, and dialect %s has none", c.Mode, name), "set mode to introspect")
	}
	if c.Dialect.NeedsAudience() {
		fault("audience", fmt.Sprintf("is empty, and a server of dialect %s calls the tokens of everybody's clients active", name), "list the client ids whose tokens may be used here")
	}
	if encoding == dialect.JSON && c.Endpoint.Client.NeedsForm() {
		fault("client.auth", fmt.Sprintf("%s needs a form, and a server of dialect %s takes JSON", c.Endpoint.Client.Auth, name), "set client.auth to client_secret_basic")
	}
}
