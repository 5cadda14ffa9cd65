package dialect

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
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
	// DoNotCache is for what the server did not clearly say, or said to be over already.
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
	acceptAbsent  bool // a token without audience passes the audience rule
	tenant, roles []jsontext.Pointer
	tenants       []string           // for which the issuer may speak; none are all
	user, client  []jsontext.Pointer // to members that tell the type of the subject
	leeway        time.Duration

	refusedPrefixes []string
}

// New returns a reader of the answers of an issuer, whose tokens may name it by aliases too; an answer that names another
// is refused. The empty issuer is none, and without aliases then nothing is compared. c has passed Check.
func New(c Config, issuer string, aliases ...string) *Reader {
	n := &Reader{
		dialect:      named(c.Dialect),
		issuer:       issuer,
		aliases:      slices.Clone(aliases),
		audience:     slices.Clone(c.Audience),
		acceptAbsent: c.AbsentAudience == "accept",
		tenants:      slices.Clone(c.Tenants),
		leeway:       c.NotBeforeLeeway,
	}
	n.refusedPrefixes = append(slices.Clone(n.dialect.refusedPrefixes), c.RefusedPrefixes...)
	n.tenant, n.roles = pointers(c.Tenant), pointers(c.Roles)
	n.user, n.client = pointers(c.Subject.User), pointers(c.Subject.Client)
	return n
}

func pointers(texts []string) []jsontext.Pointer {
	var out []jsontext.Pointer
	for _, t := range texts {
		out = append(out, jsontext.Pointer(t))
	}
	return out
}

// Read returns what body, the answer to a question about tok, says. tok itself is not in what is returned, wherever the
// server put it. An error means that the answer says nothing that can be used: it names the member and the reason, and quotes
// no value. An answer without a boolean "active" is such a one (RFC 7662 section 2.2), but from servers that have none.
func (n *Reader) Read(body []byte, tok secret.Text, fetched time.Time) (Fact, error) {
	m, raw, ok := n.open(body, tok)
	if !ok {
		return Fact{}, errors.New("the answer is not one JSON object of valid UTF-8 without duplicate members that nests no deeper than 64")
	}
	switch v, there := m.Claims["active"]; {
	case v.Kind() == 'f':
		f := Unusable(authz.NotUsable(authz.Inactive, "is not active"), fetched)
		f.Keep = Inactive
		return f, nil
	case !there && n.dialect.shows(m), v.Kind() == 't':
	case !there:
		return Fact{}, errors.New(`the answer has no member "active", so it says nothing about the token`)
	default:
		return Fact{}, errors.New(`member "active" is not true or false, so the answer says nothing about the token`)
	}
	c, err := n.claims(m, raw)
	if err != nil {
		return Fact{}, err
	}
	c.Kind = n.dialect.kindOf(m)
	if c.Subject.Type == authz.Client && n.dialect.withSubject == authz.User && m.has("sub") {
		c.Subject.Type = authz.UnknownType // a client has no sub in the answers of this server: a person may be called so
	}
	return n.fact(m, c, fetched), nil
}

// ReadJWT returns what claims, those of a JWT tok whose signature has been verified, say: the same facts, in the same
// spelling. A token of another kind than access token has that Kind, and is not usable. See Read.
//
// Of what RFC 9068 section 4 demands, it sees to iss, aud and exp; header, signature and the presence of other claims are for the caller.
func (n *Reader) ReadJWT(claims jsontext.Value, tok secret.Text, fetched time.Time) (Fact, error) {
	m, raw, ok := n.open(claims, tok)
	switch {
	case !ok:
		return Fact{}, errors.New("the claims are not one JSON object of valid UTF-8 without duplicate members that nests no deeper than 64")
	case !n.is("") && !m.has("iss"):
		return Unusable(authz.NotUsable(authz.WrongIssuer, "names no issuer"), fetched), nil
	case !m.has(n.dialect.expires) || never(m.Value(n.dialect.expires)):
		return Unusable(authz.NotUsable(authz.BadClaims, "never expires"), fetched), nil
	}
	c, err := n.claims(m, raw)
	if err != nil {
		return Fact{}, err
	}
	c.Kind, c.Source = n.dialect.kindOfJWT(m), authz.LocalJWT
	return n.fact(m, c, fetched), nil
}

// open takes body apart, without the token and the credentials in it.
func (n *Reader) open(body []byte, tok secret.Text) (*members, jsontext.Value, bool) {
	raw := jsontext.Value(redact(body, tok, n.dialect.credentials))
	c, ok := jose.ReadClaims(raw)
	return &members{Claims: c}, raw, ok
}

// shows reports whether an answer without the member "active" is about an active token all the same.
func (d dialect) shows(m *members) bool {
	return len(d.signs) > 0 && !slices.ContainsFunc(d.signs, m.lacks)
}

// fact puts the claims of an active token before the rules of this resource server, and says where they may be kept.
func (n *Reader) fact(m *members, c *authz.Claims, fetched time.Time) Fact {
	c.Fetched = fetched
	if why := n.foreign(m, c); !why.OK() {
		return Unusable(why, fetched)
	}
	f := Fact{Claims: c, Keep: Active}
	if c.ExpiresAt != 0 && authz.At(fetched) >= c.ExpiresAt {
		f.Keep = DoNotCache // a clock is wrong here or there: do not hold on to it
	}
	return f
}

// is reports whether iss names the issuer.
func (n *Reader) is(iss string) bool {
	if n.issuer == "" && len(n.aliases) == 0 {
		return true
	}
	return iss == n.issuer && iss != "" || slices.Contains(n.aliases, iss)
}

// foreign says why a token that is active is none for this resource server: INT-10, INT-11, and
// tenants and types that an issuer may not answer with. That is no word of the
// server about the token, so it is not kept.
func (n *Reader) foreign(m *members, c *authz.Claims) authz.Unusable {
	_, err := m.Text("iss")
	switch {
	case err != nil:
		return authz.NotUsable(authz.BadClaims, "names an issuer that cannot be read: "+err.Error())
	case m.has("iss") && !n.is(c.Issuer):
		return n.otherIssuer(m)
	case c.Tenant != "" && len(n.tenants) > 0 && !slices.ContainsFunc(n.tenants, func(p string) bool { return stands(p, c.Tenant) }):
		return authz.NotUsable(authz.WrongTenant, fmt.Sprintf("is of tenant %.64q, for which issuer %q may not speak", c.Tenant, n.issuer))
	case c.Source == authz.LocalJWT && oddJWTType(m.text("token_type")), c.Source != authz.LocalJWT && oddType(m.text("token_type")):
		return authz.NotUsable(authz.WrongType, "is of a token_type that is neither Bearer nor DPoP")
	case len(n.audience) == 0, c.Audiences == nil && n.acceptAbsent:
		return authz.Unusable{}
	case c.Audiences == nil:
		return NoAudience(n.audience)
	case !slices.ContainsFunc(c.Audiences, func(a string) bool { return slices.Contains(n.audience, a) }):
		if slices.ContainsFunc(c.Audiences, func(a string) bool { return !plain(a) }) {
			return authz.NotUsable(authz.WrongAudience, "is for another audience, of a name that is not repeated here: it holds other characters than visible ASCII")
		}
		return OtherAudience(c.Audiences, n.audience)
	}
	return authz.Unusable{}
}

// otherIssuer says which issuer is named, in place of which.
func (n *Reader) otherIssuer(m *members) authz.Unusable {
	iss := m.text("iss")
	if !plain(iss) {
		return authz.NotUsable(authz.WrongIssuer, "was issued by another issuer than the configured one, of a name that is not repeated here: it holds other characters than visible ASCII")
	}
	ours := n.aliases
	if n.issuer != "" && !slices.Contains(ours, n.issuer) {
		ours = slices.Concat([]string{n.issuer}, ours)
	}
	return OtherIssuer(iss, ours...)
}
