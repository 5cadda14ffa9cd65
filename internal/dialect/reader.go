package dialect

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jsonbound"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Fact is what a server said about a token, and what may be done with it.
type Fact struct {
	Claims *authz.Claims
	Keep   Keep
}

// Keep says in which cache a fact may be kept.
type Keep uint8

// The ways to keep a fact.
const (
	// DoNotCache is for a fact that is not the plain word of the server, or about a token that has ended.
	DoNotCache Keep = iota
	Active
	Inactive
)

// Unusable is a fact made here, without asking or against what the server said. It is not cached.
func Unusable(why authz.Unusable, fetched time.Time) Fact {
	return Fact{Claims: &authz.Claims{Inactive: why, Kind: authz.UnknownToken, Fetched: fetched}}
}

// Reader turns the answers of one issuer into claims. It is immutable.
type Reader struct {
	dialect       dialect
	issuer        string
	aliases       []string // further names of the issuer
	audience      []string
	acceptAbsent  bool     // a token without audience passes the audience rule
	tenant, roles []string // JSON pointers
	tenants       []string // for which the issuer may speak; none are all
	user, client  []string // pointers to members that tell the type of the subject
	leeway        time.Duration

	refusedPrefixes []string
}

// New returns a reader of the answers of an issuer, whose tokens may name it by aliases too; an answer that names
// another is refused. The empty issuer is none, and without aliases then nothing is compared. c has passed Check.
func New(c Config, issuer string, aliases ...string) *Reader {
	r := &Reader{
		dialect:      named(c.Dialect),
		issuer:       issuer,
		aliases:      slices.Clone(aliases),
		audience:     slices.Clone(c.Audience),
		acceptAbsent: c.AbsentAudience == "accept",
		tenant:       slices.Clone(c.Tenant),
		roles:        slices.Clone(c.Roles),
		tenants:      slices.Clone(c.Tenants),
		user:         slices.Clone(c.Subject.User),
		client:       slices.Clone(c.Subject.Client),
		leeway:       c.NotBeforeLeeway,
	}
	r.refusedPrefixes = append(slices.Clone(r.dialect.refusedPrefixes), c.RefusedPrefixes...)
	return r
}

// Read reads the introspection response body for tok. The fact does not hold tok itself, wherever the server put it.
// An error means that the response cannot be used: it names the member and the reason, and quotes no value. A response
// without a boolean "active" is an error (RFC 7662 section 2.2), but from servers that have no such member.
func (r *Reader) Read(body []byte, tok secret.Text, fetched time.Time) (Fact, error) {
	m, raw, ok := r.open(body, tok)
	if !ok {
		return Fact{}, errors.New("the answer is not one JSON object of valid UTF-8 without duplicate members that " +
			"nests no deeper than 64")
	}
	switch v, there := m.Claims["active"]; {
	case v.Kind() == 'f':
		f := Unusable(authz.NotUsable(authz.Inactive, "is not active"), fetched)
		f.Keep = Inactive
		return f, nil
	case !there && r.dialect.shows(m), v.Kind() == 't':
	case !there:
		return Fact{}, errors.New(`the answer has no member "active", so it says nothing about the token`)
	default:
		return Fact{}, errors.New(`member "active" is not true or false, so the answer says nothing about the token`)
	}
	c, err := r.claims(m, raw)
	if err != nil {
		return Fact{}, err
	}
	c.Kind, c.Fetched = r.dialect.kindOf(m), fetched
	if c.Subject.Type == authz.Client && r.dialect.withSubject == authz.User && m.has("sub") {
		// a client has no sub in the answers of this server: a person may be called so
		c.Subject.Type = authz.UnknownType
	}
	return r.fact(m, c), nil
}

// ReadJWT reads the claims of a JWT tok whose signature has been verified, into the same facts as Read. A token of
// another kind than access token has that Kind, and is not usable.
//
// Of the checks of RFC 9068 section 4 it makes those of iss, aud and exp; header, signature and the presence of other
// claims are for the caller.
func (r *Reader) ReadJWT(claims jsontext.Value, tok secret.Text, fetched time.Time) (Fact, error) {
	m, raw, ok := r.open(claims, tok)
	switch {
	case !ok:
		return Fact{}, errors.New("the claims are not one JSON object of valid UTF-8 without duplicate members that " +
			"nests no deeper than 64")
	case !r.is("") && !m.has("iss"):
		return Unusable(authz.NotUsable(authz.WrongIssuer, "names no issuer"), fetched), nil
	case !m.has(r.dialect.expires) || never(m.Value(r.dialect.expires)):
		return Unusable(authz.NotUsable(authz.BadClaims, "never expires"), fetched), nil
	}
	c, err := r.claims(m, raw)
	if err != nil {
		return Fact{}, err
	}
	c.Kind, c.Source, c.Fetched = r.dialect.kindOfJWT(m), authz.LocalJWT, fetched
	return r.fact(m, c), nil
}

// open reads the members of body, without the token and the credentials in it.
func (r *Reader) open(body []byte, tok secret.Text) (*members, jsontext.Value, bool) {
	raw, c := redact(body, tok, r.dialect.credentials)
	if c == nil || jsonbound.Deep(raw) {
		return nil, nil, false
	}
	return &members{Claims: c}, raw, true
}

// shows reports whether an answer without the member "active" is about an active token.
func (d dialect) shows(m *members) bool {
	return len(d.signs) > 0 && !slices.ContainsFunc(d.signs, m.lacks)
}

// fact applies the rules of this resource server to the claims of an active token.
func (r *Reader) fact(m *members, c *authz.Claims) Fact {
	if why := r.unacceptable(m, c); !why.OK() {
		return Unusable(why, c.Fetched)
	}
	return Fact{Claims: c, Keep: keepActive(c)}
}

// keepActive is Active for a token that has not ended. The clock of the server or of the sidecar is wrong when one
// has: such an answer is not kept.
func keepActive(c *authz.Claims) Keep {
	if c.ExpiresAt != 0 && authz.At(c.Fetched) >= c.ExpiresAt {
		return DoNotCache
	}
	return Active
}

// is reports whether iss names the issuer.
func (r *Reader) is(iss string) bool {
	if r.issuer == "" && len(r.aliases) == 0 {
		return true
	}
	return iss == r.issuer && iss != "" || slices.Contains(r.aliases, iss)
}

// unacceptable says why this resource server refuses a token that is active: INT-10, INT-11, and tenants and types
// that the issuer may not answer with. The server did not say so, and the fact is not kept.
func (r *Reader) unacceptable(m *members, c *authz.Claims) authz.Unusable {
	_, err := m.Text("iss")
	switch {
	case err != nil:
		return authz.NotUsable(authz.BadClaims, "names an issuer that cannot be read: "+err.Error())
	case m.has("iss") && !r.is(c.Issuer):
		return r.otherIssuer(m)
	case c.Tenant != "" && len(r.tenants) > 0 && !slices.ContainsFunc(r.tenants,
		func(p string) bool { return matches(p, c.Tenant) }):
		return authz.NotUsable(authz.WrongTenant, fmt.Sprintf("is of tenant %.64q, for which issuer %q may not speak",
			c.Tenant, r.issuer))
	case c.Source == authz.LocalJWT && oddJWTType(m.text("token_type")), c.Source != authz.LocalJWT &&
		oddType(m.text("token_type")):
		return authz.NotUsable(authz.WrongType, "is of a token_type that is neither Bearer nor DPoP")
	case len(r.audience) == 0, c.Audiences == nil && r.acceptAbsent:
		return authz.Unusable{}
	case c.Audiences == nil:
		return NoAudience(r.audience)
	case !slices.ContainsFunc(c.Audiences, func(a string) bool { return slices.Contains(r.audience, a) }):
		if slices.ContainsFunc(c.Audiences, func(a string) bool { return !plain(a) }) {
			return authz.NotUsable(authz.WrongAudience, "is for another audience, of a name that is not repeated "+
				"here: it holds other characters than visible ASCII")
		}
		return OtherAudience(c.Audiences, r.audience)
	}
	return authz.Unusable{}
}

// otherIssuer says which issuer is named, in place of which.
func (r *Reader) otherIssuer(m *members) authz.Unusable {
	iss := m.text("iss")
	if !plain(iss) {
		return authz.NotUsable(authz.WrongIssuer, "was issued by another issuer than the configured one, of a name "+
			"that is not repeated here: it holds other characters than visible ASCII")
	}
	configured := r.aliases
	if r.issuer != "" && !slices.Contains(configured, r.issuer) {
		configured = slices.Concat([]string{r.issuer}, configured)
	}
	return OtherIssuer(iss, configured...)
}
