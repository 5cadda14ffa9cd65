package introspect

import (
	"cmp"
	"context"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// mode is the configured one; the empty word means its documented default.
func (c Config) mode() Mode { return cmp.Or(c.Mode, Introspect) }

// effective is the mode in which a token is looked at: the route's, else the issuer's. This is the only place where that
// is found out.
func (i *Issuer) effective(d authz.Freshness) Mode { return cmp.Or(d.Mode, i.mode) }

// modes looks at a token as the question demands: it is an asker that asks another one, or validates, or does both. The
// mode of its questions is the effective one.
type modes struct {
	name             string
	asked            asker
	local            *validator // nil when the configuration does not allow it
	localUnavailable string     // why not
	server           *oauth.Server
	// noIntrospection is set when the issuer is never asked: nothing says how.
	noIntrospection bool
	// revokedBy is who revoked a token, by what each source says that it names. The first says when it was issued.
	revokedBy func(tok secret.Text, sources ...*authz.Claims) revoker
	ends      dialect.Ending
}

// newModes puts local validation, as far as cfg allows it, before an asker.
func newModes(cfg Config, asked asker, reader *dialect.Reader, keys *jose.KeySet, server *oauth.Server, revokedBy func(secret.Text, ...*authz.Claims) revoker) *modes {
	m := &modes{name: cfg.Endpoint.Name, asked: asked, server: server, revokedBy: revokedBy, ends: cfg.Dialect.JWTEnding()}
	m.noIntrospection = cfg.Dialect.Encoding() == dialect.Unasked || !cfg.Reached().Client.Authenticates() && cfg.Endpoint.IntrospectionEndpoint == ""
	faults := cfg.localFaults()
	if !cfg.Dialect.HasJWTs() {
		faults = append(faults, fault{key: "dialect", cause: "has no tokens that are JWTs"})
	}
	if len(faults) == 0 {
		m.local = newValidator(cfg, reader, keys)
		return m
	}
	var causes []string
	for _, f := range faults {
		causes = append(causes, f.key+" "+f.cause)
	}
	m.localUnavailable = strings.Join(causes, "; ")
	return m
}

func (m *modes) ask(ctx context.Context, q Question) (fact, error) {
	return m.look(ctx, q, m.asked.ask)
}

// look is ask with another way to ask.
func (m *modes) look(ctx context.Context, q Question, remote func(context.Context, Question) (fact, error)) (fact, error) {
	mode := q.Freshness.Mode
	switch {
	case mode == Introspect, mode == IntrospectOpaque && !signed(q.Token):
		return m.there(ctx, q, remote)
	case !mode.Local():
		return fact{}, authz.Errorf(authz.Misconfigured, "look at token of issuer %q: mode %q is unknown", m.name, string(mode))
	case m.local == nil:
		return fact{}, authz.Errorf(authz.Misconfigured, "look at token of issuer %q: a route demands mode %q, for which %s", m.name, string(mode), m.localUnavailable)
	}
	here, err := m.local.validate(ctx, q.Token)
	if err != nil || !here.Claims.Active {
		return fact{Fact: here}, err
	}
	by := m.revokedBy(q.Token, here.Claims)
	switch {
	case m.ended(by, mode):
		return fact{Fact: permanentlyInvalid(whyEnded, here.Claims.Fetched)}, nil
	case mode == JWTThenIntrospect:
		return m.both(ctx, q, here, remote)
	case by != notRevoked:
		return m.confirmRevoked(ctx, q, here, remote)
	}
	return fact{Fact: here}, nil
}

const whyEnded = "was revoked, or its session ended, and the answer of its issuer about a JWT would not tell"

// ended reports whether a revoked JWT is over whatever its issuer answers about it. The answer counts where it would know: of
// revoked tokens after a call to /v1/evict, of ended sessions after an event. Where it is unknown what the answer knows, it
// counts after a call to /v1/evict, and in mode introspect, where it is the operator's choice to believe it; a signed event
// counts in the modes that validate JWTs here.
func (m *modes) ended(by revoker, mode Mode) bool {
	switch {
	case by == notRevoked, by == byNeighbour:
		return false
	case m.ends == dialect.UnknownEnding:
		return by == byEvent && mode != Introspect
	case by == byEvent:
		return m.ends < dialect.EndedSessions
	}
	return m.ends < dialect.RevokedTokens
}

// there asks about a token that is not validated here. What is active may be a JWT all the same, encrypted or not.
func (m *modes) there(ctx context.Context, q Question, remote func(context.Context, Question) (fact, error)) (fact, error) {
	f, err := remote(ctx, q)
	if err != nil || !f.Claims.Active || m.ends == dialect.UnknownEnding {
		return f, err
	}
	if _, isJWT := headerOf(q.Token.Reveal()); isJWT && m.ended(m.revokedBy(q.Token, f.Claims), Introspect) {
		return fact{Fact: permanentlyInvalid(whyEnded, f.Claims.Fetched)}, nil
	}
	return f, nil
}

// both asks about a token that is good by its own claims.
func (m *modes) both(ctx context.Context, q Question, here dialect.Fact, remote func(context.Context, Question) (fact, error)) (fact, error) {
	q.signed = true
	there, err := remote(ctx, q)
	if err != nil || !there.Claims.Active {
		return there, err
	}
	there.Fact, there.own = merge(here, there.Fact), here.Claims
	// The answer may name what the token does not, such as its session.
	if there.Claims.Active && m.ended(m.revokedBy(q.Token, there.Claims, here.Claims), q.Freshness.Mode) {
		return fact{Fact: permanentlyInvalid(whyEnded, there.Claims.Fetched)}, nil
	}
	return there, nil
}

// confirmRevoked is about a token that is good by its own claims, and that somebody revoked: only its issuer knows. One that has no
// introspection endpoint cannot be asked, and then the word of whoever revoked it holds.
func (m *modes) confirmRevoked(ctx context.Context, q Question, here dialect.Fact, remote func(context.Context, Question) (fact, error)) (fact, error) {
	if !m.noIntrospection {
		there, err := m.both(ctx, q, here, remote)
		if err == nil || authz.KindOf(err) != authz.Misconfigured || m.server.KnownEndpoint(oauth.Introspection) != "" {
			return there, err
		}
	}
	return fact{Fact: dialect.Unusable("was revoked, and its issuer cannot be asked", here.Claims.Fetched)}, nil
}

// signed reports whether a token says of itself that it is a signed JWT. What only looks like one, by its dots, does not,
// nor does an encrypted one: some servers' opaque tokens are (trap: five parts are no promise).
func signed(tok secret.Text) bool {
	h, ok := headerOf(tok.Reveal())
	return ok && h.Encryption == ""
}

// merge joins what a token's own claims say with what its server says of it. The facts are the server's, which knows the
// state of today; the claims add whose token it is where the server is silent, and both bounds and bindings hold. Where
// both speak and differ, one of them is not about this token.
func merge(claims, answer dialect.Fact) dialect.Fact {
	c, a := claims.Claims, answer.Claims
	for _, both := range []struct{ name, claim, answer string }{
		{"iss", c.Issuer, a.Issuer}, {"sub", c.Subject.ID, a.Subject.ID}, {"jti", c.ID, a.ID}, {"client", c.ClientID, a.ClientID},
	} {
		if both.claim != "" && both.answer != "" && both.claim != both.answer {
			return dialect.Unusable("has two sources that disagree about its "+both.name, a.Fetched)
		}
	}
	if c.Confirmation.Bound() && a.Confirmation.Bound() && c.Confirmation != a.Confirmation {
		return dialect.Unusable("has two sources that disagree about the key it is bound to", a.Fetched)
	}
	if a.Kind == authz.UnknownToken {
		a.Kind = c.Kind
	}
	a.Source = authz.BothSources
	a.Subject.Type = typeOf(c.Subject, a.Subject)
	a.Issuer, a.ID, a.ClientID = cmp.Or(a.Issuer, c.Issuer), cmp.Or(a.ID, c.ID), cmp.Or(a.ClientID, c.ClientID)
	a.SessionID, a.IssuedAt = cmp.Or(a.SessionID, c.SessionID), cmp.Or(a.IssuedAt, c.IssuedAt)
	if a.Subject.ID == "" {
		a.Subject.ID = c.Subject.ID
	}
	if a.Audiences == nil {
		a.Audiences = c.Audiences
	}
	if !a.Confirmation.Bound() {
		a.Confirmation = c.Confirmation
	}
	a.NotBefore = max(a.NotBefore, c.NotBefore)
	if a.ExpiresAt == 0 || c.ExpiresAt < a.ExpiresAt {
		a.ExpiresAt = c.ExpiresAt
	}
	return answer
}

// typeOf joins what the claims and the answer say of the type of one subject. Evidence of a person may be in either of the two;
// a client is one only where the answer agrees, or names no subject: it may have the user's name, which the claims lack.
func typeOf(claim, answer authz.Subject) authz.SubjectType {
	switch [2]authz.SubjectType{claim.Type, answer.Type} {
	case [2]authz.SubjectType{authz.User, authz.UnknownType}:
		return authz.User
	case [2]authz.SubjectType{authz.User, authz.Client}, [2]authz.SubjectType{authz.Client, authz.User}:
		return authz.UnknownType
	case [2]authz.SubjectType{authz.Client, authz.UnknownType}:
		if answer.ID == "" && answer.Username == "" {
			return authz.Client
		}
	}
	return answer.Type
}
