package introspect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// normaliser turns the body of an answer into claims: one vocabulary for all servers.
type normaliser struct {
	dialect       dialect
	issuer        string
	audience      []string
	acceptAbsent  bool // a token without audience passes the audience rule
	tenant, roles []jsontext.Pointer
	leeway        time.Duration
}

func newNormaliser(c Config) normaliser {
	n := normaliser{
		dialect:      dialectOf(c.Dialect),
		issuer:       c.Issuer,
		audience:     slices.Clone(c.Audience),
		acceptAbsent: c.AbsentAudience == "accept",
		leeway:       c.NotBeforeLeeway,
	}
	for _, p := range c.Tenant {
		n.tenant = append(n.tenant, jsontext.Pointer(p))
	}
	for _, p := range c.Roles {
		n.roles = append(n.roles, jsontext.Pointer(p))
	}
	return n
}

// read returns what body says. An error names the reason, and quotes nothing of the body but names of members known here.
func (n *normaliser) read(body []byte, fetched time.Time) (fact, error) {
	raw := jsontext.Value(body)
	var m members
	if err := json.Unmarshal(body, &m); err != nil || raw.Kind() != '{' {
		return fact{}, fmt.Errorf("the answer is not one JSON object of valid UTF-8 without duplicate members")
	}
	switch v, there := m["active"]; {
	case !there:
		return inactive("is not called active: the answer has no such member", fetched), nil
	case v.Kind() == 'f':
		f := inactive("is not active", fetched)
		f.keep = keepInactive
		return f, nil
	case v.Kind() != 't':
		return inactive("is not called active: the member is no boolean", fetched), nil
	}
	c, err := n.claims(m, raw)
	if err != nil {
		return fact{}, err
	}
	c.Fetched = fetched
	if why := n.foreign(m, c); why != "" {
		return inactive(why, fetched), nil
	}
	f := fact{claims: c, keep: keepActive}
	if c.ExpiresAt != 0 && authz.At(fetched) >= c.ExpiresAt {
		f.keep = keepNowhere // a clock is wrong here or there: do not hold on to it
	}
	return f, nil
}

// foreign says why a token that is active is none for this resource server: INT-10, INT-11. That is no word of the
// server about the token, so it is not kept.
func (n *normaliser) foreign(m members, c *authz.Claims) string {
	switch {
	case n.issuer != "" && m.has("iss") && c.Issuer != n.issuer:
		return "was issued by another issuer than the configured one"
	case len(n.audience) == 0:
		return ""
	case c.Audiences == nil && n.acceptAbsent:
		return ""
	case c.Audiences == nil:
		return "names no audience"
	case !slices.ContainsFunc(c.Audiences, func(a string) bool { return slices.Contains(n.audience, a) }):
		return "is for another audience"
	}
	return ""
}

func (n *normaliser) claims(m members, raw jsontext.Value) (*authz.Claims, error) {
	d := n.dialect
	c := &authz.Claims{
		Active:       true,
		Kind:         d.kindOf(m),
		Issuer:       m.text("iss"),
		ID:           m.text("jti"),
		ClientID:     m.text(d.clientID...),
		Scopes:       d.scopesOf(m),
		Audiences:    audiencesOf(m),
		Tenant:       n.tenantOf(raw),
		Roles:        n.rolesOf(m, raw),
		Groups:       union(m, d.groups),
		Permissions:  union(m, d.permissions),
		Auth:         authenticationOf(m),
		Actor:        actorOf(m["act"]),
		Confirmation: confirmationOf(m),
		Leeway:       n.leeway,
	}
	if c.Issuer == "" && !m.has("iss") {
		c.Issuer = n.issuer
	}
	c.Subject = d.subjectOf(m, c.ClientID)
	var err error
	for _, t := range []struct {
		name string
		to   *authz.Time
	}{{"iat", &c.IssuedAt}, {"nbf", &c.NotBefore}, {"exp", &c.ExpiresAt}} {
		if *t.to, err = m.time(t.name); err != nil {
			return nil, err
		}
	}
	if _, there := m["exp"]; there && c.ExpiresAt == 0 {
		// Some servers mean "never" and the RFC means 1970. Neither may be guessed.
		return nil, fmt.Errorf("member %q is 0", "exp")
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
			return words(m[name])
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
		out = append(out, texts(m[name])...)
	}
	return set(out)
}

func (n *normaliser) tenantOf(raw jsontext.Value) string {
	for _, p := range n.tenant {
		if s, ok := text(find(raw, p)); ok && s != "" {
			return s
		}
	}
	return ""
}

func (n *normaliser) rolesOf(m members, raw jsontext.Value) []string {
	out := union(m, n.dialect.roles)
	if n.dialect.nestedRoles == realmAndResource {
		out = append(out, texts(object(m["realm_access"])["roles"])...)
		for client, access := range object(m["resource_access"]) {
			for _, role := range texts(object(access)["roles"]) {
				out = append(out, client+":"+role)
			}
		}
	}
	for _, p := range n.roles {
		out = append(out, texts(find(raw, p))...)
	}
	return set(out)
}

// subjectOf says whom the token speaks for. "user" needs evidence of a person: a bare sub may name anything.
func (d dialect) subjectOf(m members, clientID string) authz.Subject {
	s := authz.Subject{ID: m.text("sub"), Username: m.text(d.username...), Type: authz.UnknownType}
	if s.ID != "" {
		s.Type = d.withSubject
	}
	switch {
	case clientID != "" && s.ID == clientID:
		s.Type = authz.Client
	case clientID != "" && d.serviceAccount != "" && s.Username == d.serviceAccount+clientID:
		s.Type = authz.Client
	case !m.has("sub") && clientID != "" && d.withoutSubject == authz.Client:
		s.ID, s.Type = clientID, authz.Client
	case s.ID != "" && (s.Username != "" || m.has("sid") || m.has("auth_time")) && !d.isServiceAccount(s.Username):
		s.Type = authz.User
	}
	return s
}

// isServiceAccount recognises the service account of another client, which is no person either.
func (d dialect) isServiceAccount(username string) bool {
	return d.serviceAccount != "" && strings.HasPrefix(username, d.serviceAccount)
}
