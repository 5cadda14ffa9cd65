package dialect

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// claims reads all facts but the kind of the token, which an answer and a JWT show in different ways.
func (n *Reader) claims(m members, raw jsontext.Value) (*authz.Claims, error) {
	d := n.dialect
	c := &authz.Claims{
		Active:       true,
		Issuer:       m.text("iss"),
		ID:           m.text("jti"),
		SessionID:    m.text("sid"),
		ClientID:     m.text(d.clientID...),
		Scopes:       d.scopesOf(m),
		Audiences:    audiencesOf(m),
		Tenant:       n.tenantOf(raw),
		Roles:        n.rolesOf(m, raw),
		Groups:       union(m, d.groups),
		Permissions:  union(m, d.permissions),
		Auth:         authenticationOf(m, d.clock),
		Actor:        actorOf(m["act"]),
		Confirmation: confirmationOf(m),
		Leeway:       n.leeway,
	}
	if c.Issuer == "" && !m.has("iss") {
		c.Issuer = n.issuer
	}
	c.Subject = d.subjectOf(m, c.ClientID, n.typeTold(raw))
	var err error
	for _, t := range []struct {
		name string
		to   *authz.Time
	}{{d.issued, &c.IssuedAt}, {d.notBefore, &c.NotBefore}, {d.expires, &c.ExpiresAt}} {
		if *t.to, err = m.time(t.name, d.clock); err != nil {
			return nil, err
		}
	}
	if _, there := m[d.expires]; there && c.ExpiresAt == 0 && d.clock != dates {
		// Some servers mean "never" and the RFC means 1970. Neither may be guessed.
		return nil, fmt.Errorf("member %q is 0", d.expires)
	}
	if v := m["authorization_details"]; v.Kind() == '[' {
		c.AuthorizationDetails = compact(v)
	}
	c.Raw = compact(raw)
	return c, nil
}

func compact(v jsontext.Value) []byte {
	v = v.Clone()
	if v.Compact() != nil {
		return nil // not reached: the value has been parsed
	}
	return v
}

func (d dialect) scopesOf(m members) []string {
	for _, name := range d.scopes {
		if m.has(name) {
			return words(m.at(name))
		}
	}
	return nil
}

// audiencesOf tells "none said" (nil) from "none meant" (empty). An audience that cannot be read is the latter.
func audiencesOf(m members) []string {
	if !m.has("aud") {
		return nil
	}
	return append([]string{}, set(texts(m["aud"]))...)
}

func union(m members, names []string) []string {
	var out []string
	for _, name := range names {
		out = append(out, texts(m.at(name))...)
	}
	return set(out)
}

func (n *Reader) tenantOf(raw jsontext.Value) string {
	for _, p := range n.tenant {
		if s, ok := text(find(raw, p)); ok && s != "" {
			return s
		}
	}
	return ""
}

// typeTold is the type of the subject by the configured members, or "".
func (n *Reader) typeTold(raw jsontext.Value) authz.SubjectType {
	user, client := anyThere(raw, n.user), anyThere(raw, n.client)
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

func anyThere(raw jsontext.Value, pointers []jsontext.Pointer) bool {
	return slices.ContainsFunc(pointers, func(p jsontext.Pointer) bool {
		v := find(raw, p)
		return v != nil && v.Kind() != 'n' && v.Kind() != 'f' && string(v) != `""`
	})
}
