package dialect

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/jsonbound"
)

// claims reads all facts but the kind of the token, which an answer and a JWT show in different ways.
func (r *Reader) claims(m *members, raw jsontext.Value) (*authz.Claims, error) {
	d := r.dialect
	c := &authz.Claims{
		Active:        true,
		Issuer:        m.text("iss"),
		ID:            m.name("jti"),
		SessionID:     m.name("sid"),
		ClientID:      m.name(d.clientID...),
		Scopes:        d.scopesOf(m),
		Audiences:     audiencesOf(m),
		Tenant:        r.tenantOf(m),
		Roles:         r.rolesOf(m),
		Groups:        union(m, d.groups),
		Permissions:   union(m, d.permissions),
		Auth:          authenticationOf(m, d.clock),
		Actor:         actorOf(m),
		Confirmation:  confirmationOf(m),
		IssuedAt:      m.event(d.issued, d.clock),
		NotBefore:     m.limit(d.notBefore, d.clock, jose.Up),
		NotBeforeSkew: r.leeway,
	}
	if c.Issuer == "" && !m.has("iss") {
		c.Issuer = r.issuer
	}
	c.Subject = d.subjectOf(m, c.ClientID, r.typeTold(m))
	c.ExpiresAt = d.expiry(m)
	m.legible(append([]string{"token_type", "typ"}, d.uses...))
	if m.err != nil {
		return nil, m.err
	}
	if f := jsonbound.Check(raw); f != nil { // policies read all claims, so one that they cannot read spoils all
		return nil, fmt.Errorf("member %.64q %s", f.At, f.Cause)
	}
	if v := m.Value("authorization_details"); v.Kind() == '[' {
		c.AuthorizationDetails = whole(v)
	}
	c.Raw = whole(raw)
	return c, nil
}

// expiry is when a token ends; 0 is never.
func (d dialect) expiry(m *members) authz.Time {
	v := m.Value(d.expires)
	if v == nil || never(v) {
		return 0
	}
	t := m.limit(d.expires, d.clock, jose.Down)
	if t == 0 { // some servers mean "never" and the RFC means 1970. Neither may be guessed
		m.fail(fmt.Errorf("member %q is 0", d.expires))
	}
	return t
}

// whole is v, which has no white space, with U+FFFD for each half of a character: what is decided by was read before,
// and has none.
func whole(v jsontext.Value) []byte {
	if bytes.IndexByte(v, '\\') < 0 {
		return v
	}
	v = v.Clone()
	if v.Format(jsontext.AllowInvalidUTF8(true)) != nil {
		return nil // not reached: the value has been parsed
	}
	return v
}

func (d dialect) scopesOf(m *members) []string {
	for _, name := range d.scopes {
		if m.has(name) {
			return m.words(name)
		}
	}
	return nil
}

// audiencesOf is nil when the answer has no audience, and empty when it names none or one that cannot be read.
func audiencesOf(m *members) []string {
	if !m.has("aud") {
		return nil
	}
	return append([]string{}, set(m.list("aud", m.Value("aud")))...)
}

func union(m *members, names []string) []string {
	var out []string
	for _, name := range names {
		out = append(out, m.list(name, m.at(name))...)
	}
	return set(out)
}

// tenantOf is the first text that the pointers lead to, or else the first number. Where all that they lead to is of
// another type the tenant cannot be read: a token without tenant would be another token.
func (r *Reader) tenantOf(m *members) string {
	var number, unreadable string
	for _, p := range r.tenant {
		v := m.at(p)
		s, ok := jose.Name(v)
		switch {
		case v == nil || ok && s == "":
		case ok && v.Kind() == '"':
			return s
		case ok:
			number = cmp.Or(number, s)
		case v.Kind() == '"':
			m.fail(fmt.Errorf("the tenant, %q, is a text of broken characters", p))
			return ""
		default:
			unreadable = cmp.Or(unreadable, p)
		}
	}
	if number == "" && unreadable != "" {
		m.fail(fmt.Errorf("the tenant, %q, is not a text", unreadable))
	}
	return number
}

// typeTold is the type of the subject by the configured members, or "".
func (r *Reader) typeTold(m *members) authz.SubjectType {
	user, client := m.any(r.user), m.any(r.client)
	switch {
	case user && client:
		return authz.UnknownType
	case user:
		return authz.User
	case client:
		return authz.Client
	}
	return ""
}

func (m *members) any(pointers []string) bool {
	return slices.ContainsFunc(pointers, func(p string) bool {
		v := m.at(p)
		return v != nil && v.Kind() != 'f' && string(v) != `""`
	})
}
