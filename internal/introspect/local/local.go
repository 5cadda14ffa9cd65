// Package local validates JWT access tokens without asking their server (RFC 9068, RFC 8725), and decides by the mode
// whether the next layer is asked instead, or too.
package local

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Config bounds what passes as a JWT access token: RFC 9068 section 4, RFC 8725.
type Config struct {
	Types          []string      `yaml:"types" items:"blank" doc:"Accepted typ; an empty item accepts a token without one. Empty is what the dialect says, at+jwt by default."`
	Algorithms     []string      `yaml:"algorithms" default:"RS256,PS256,ES256,ES384,EdDSA" doc:"Accepted alg. Never none, never a shared secret."`
	OptionalClaims []string      `yaml:"optional_claims" doc:"Claims of RFC 9068 section 2.2 that this server leaves out, besides those that the dialect knows of."`
	Leeway         time.Duration `yaml:"leeway" default:"0s" max:"60s" doc:"How far the server's clock may be behind: for exp of a JWT that is validated locally only. Where it is greater than not_before_leeway it holds for that, too."`
}

// Words are the algorithms that may be accepted.
func (Config) Words(key string) []string {
	if key == "algorithms" {
		return jose.SignatureAlgorithms()
	}
	return nil
}

// Check reports what the tags cannot say.
func (c Config) Check(fault func(key, cause, hint string)) {
	for i, t := range c.Types {
		if foreignType(t) {
			fault(fmt.Sprintf("types[%d]", i),
				fmt.Sprintf("%q is the type of another kind of JWT, which is never an access token", t), "remove it")
		}
	}
	for i, name := range c.OptionalClaims {
		key := fmt.Sprintf("optional_claims[%d]", i)
		switch {
		case name == "aud":
			fault(key, "whether aud may be absent is not set here", "set absent_audience to accept")
		case name == "iss" || name == "exp":
			fault(key, name+" is never optional", "remove it")
		case !slices.Contains(requiredClaims(), name):
			fault(key, fmt.Sprintf("%q is no claim that RFC 9068 section 2.2 requires", name), "remove it")
		}
	}
}

// Deps is what a Layer needs besides its own configuration.
type Deps struct {
	Endpoint oauth.Config
	Dialect  dialect.Config
	Server   *oauth.Server
	Reader   *dialect.Reader
	Keys     jose.KeySource
	// Revoked returns the Revoker of a token, by what each of the sources names. The first source says when the token
	// was issued.
	Revoked func(tok secret.Text, sources ...*authz.Claims) introspect.Revoker
	// Unavailable says why no JWT can be validated, or is empty.
	Unavailable string
	// NoIntrospection is set when the server cannot be asked: no endpoint or no credentials are known.
	NoIntrospection bool
	// NotBeforeAhead is how far ahead the clock of the issuer may be for nbf, IssuedAhead for iat.
	NotBeforeAhead, IssuedAhead time.Duration
}

// Layer looks at a token as the mode of the question demands: it asks the next layer, or validates, or does both.
type Layer struct {
	next            introspect.Asker
	name            string
	validator       *validator // nil when unavailable says why
	unavailable     string
	server          *oauth.Server
	noIntrospection bool
	revoked         func(tok secret.Text, sources ...*authz.Claims) introspect.Revoker
	ending          dialect.Ending
}

var _ introspect.Asker = (*Layer)(nil)

// New returns the layer before next.
func New(next introspect.Asker, cfg Config, deps Deps) *Layer {
	l := &Layer{
		next: next, name: deps.Endpoint.Name, unavailable: deps.Unavailable, server: deps.Server,
		noIntrospection: deps.NoIntrospection, revoked: deps.Revoked, ending: deps.Dialect.JWTEnding(),
	}
	if l.unavailable == "" {
		l.validator = newValidator(cfg, deps)
	}
	return l
}

// Before is the same layer before another next one.
func (l *Layer) Before(next introspect.Asker) *Layer {
	other := *l
	other.next = next
	return &other
}

// Ask looks at a token as the mode of q demands.
func (l *Layer) Ask(ctx context.Context, q introspect.Question) (introspect.Fact, error) {
	mode := q.Freshness.Mode
	switch {
	case mode == authz.ModeIntrospect, mode == authz.ModeIntrospectOpaque && !isSigned(q.Token):
		return l.introspect(ctx, q)
	case !mode.Local():
		return introspect.Fact{}, authz.Errorf(authz.Misconfigured, "look at token of issuer %q: mode %q is unknown",
			l.name, string(mode))
	case l.validator == nil:
		return introspect.Fact{}, authz.Errorf(authz.Misconfigured,
			"look at token of issuer %q: an entrypoint demands mode %q, for which %s", l.name, string(
				mode), l.unavailable)
	}
	own, err := l.validator.validate(ctx, q.Token)
	if err != nil || !own.Claims.Active {
		return introspect.Fact{Fact: own}, err
	}
	by := l.revoked(q.Token, own.Claims)
	switch {
	case l.ended(by, mode):
		return endedFact(own.Claims.Fetched), nil
	case mode == authz.ModeJWTThenIntrospect:
		return l.both(ctx, q, own)
	case by != introspect.NotRevoked:
		return l.confirmRevoked(ctx, q, own)
	}
	return introspect.Fact{Fact: own}, nil
}

func endedFact(fetched time.Time) introspect.Fact {
	return introspect.Fact{Fact: permanentlyInvalid(authz.NotUsable(authz.Revoked,
		"was revoked, or its session ended, and the answer of its issuer about a JWT would not tell"), fetched)}
}

// ended reports whether a revoked JWT is over whatever its issuer answers about it. The answer counts where the
// issuer would know: of revoked tokens after a call to /v1/evict, of ended sessions after an event. Where it is
// unknown what the issuer knows, the answer counts after a call to /v1/evict, and in mode introspect, where the
// operator chose to believe it; a signed event counts in the modes that validate JWTs locally.
func (l *Layer) ended(by introspect.Revoker, mode authz.Mode) bool {
	switch {
	case by == introspect.NotRevoked, by == introspect.ByOtherSession:
		return false
	case l.ending == dialect.UnknownEnding:
		return by == introspect.ByEvent && mode != authz.ModeIntrospect
	case by == introspect.ByEvent:
		return l.ending < dialect.EndedSessions
	}
	return l.ending < dialect.RevokedTokens
}

// introspect asks about a token that is not validated locally. An active one may be a JWT all the same, encrypted or
// not.
func (l *Layer) introspect(ctx context.Context, q introspect.Question) (introspect.Fact, error) {
	f, err := l.next.Ask(ctx, q)
	if err != nil || !f.Claims.Active || l.ending == dialect.UnknownEnding {
		return f, err
	}
	if _, isJWT := introspect.HeaderOf(q.Token.Reveal()); isJWT &&
		l.ended(l.revoked(q.Token, f.Claims), authz.ModeIntrospect) {
		return endedFact(f.Claims.Fetched), nil
	}
	return f, nil
}

// both asks about a token that is good by its own claims.
func (l *Layer) both(ctx context.Context, q introspect.Question, own dialect.Fact) (introspect.Fact, error) {
	q.Verified = true
	f, err := l.next.Ask(ctx, q)
	if err != nil || !f.Claims.Active {
		return f, err
	}
	f.Fact, f.Own = merge(own, f.Fact), own.Claims
	// The answer may name what the token does not, such as its session.
	if f.Claims.Active && l.ended(l.revoked(q.Token, f.Claims, own.Claims), q.Freshness.Mode) {
		return endedFact(f.Claims.Fetched), nil
	}
	return f, nil
}

// confirmRevoked asks about a token that is good by its own claims and was revoked: only its issuer knows more. An
// issuer without introspection endpoint cannot be asked, and then the revocation holds.
func (l *Layer) confirmRevoked(ctx context.Context, q introspect.Question, own dialect.Fact) (introspect.Fact, error) {
	if !l.noIntrospection {
		f, err := l.both(ctx, q, own)
		if err == nil || authz.KindOf(err) != authz.Misconfigured ||
			l.server.KnownEndpoint(oauth.Introspection) != "" {
			return f, err
		}
	}
	return introspect.Fact{Fact: dialect.Unusable(authz.NotUsable(authz.Revoked,
		"was revoked, and its issuer cannot be asked"), own.Claims.Fetched)}, nil
}

// isSigned reports whether the header of a token says that it is a signed JWT. A token that only has the dots of a
// JWT is not, nor is an encrypted one: some servers' opaque tokens have five parts.
func isSigned(tok secret.Text) bool {
	h, ok := introspect.HeaderOf(tok.Reveal())
	return ok && h.Encryption == ""
}
