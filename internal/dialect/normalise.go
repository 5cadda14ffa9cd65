package dialect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
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
	// Nowhere is for what the server did not clearly say, or said to be over already.
	Nowhere Keep = iota
	Active
	Inactive
)

// Dead is a fact made here, without asking or against what the server said. Nobody keeps it.
func Dead(why string, fetched time.Time) Fact {
	return Fact{Claims: &authz.Claims{Why: why, Kind: authz.UnknownToken, Fetched: fetched}}
}

// Reader turns the answers of one issuer into claims. It is immutable.
type Reader struct {
	dialect       dialect
	issuer        string
	aliases       []string // further names of the issuer
	audience      []string
	acceptAbsent  bool // a token without audience passes the audience rule
	tenant, roles []jsontext.Pointer
	leeway        time.Duration
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

// Read returns what body, the answer to a question about tok, says. tok itself is not in what is returned, wherever the
// server put it. An error names the reason, and quotes nothing of the body but names of members known here.
func (n *Reader) Read(body []byte, tok secret.Text, fetched time.Time) (Fact, error) {
	raw := jsontext.Value(redact(body, tok, n.dialect.credentials))
	var m members
	if err := json.Unmarshal(raw, &m); err != nil || raw.Kind() != '{' {
		return Fact{}, fmt.Errorf("the answer is not one JSON object of valid UTF-8 without duplicate members")
	}
	switch v, there := m["active"]; {
	case !there:
		return Dead("is not called active: the answer has no such member", fetched), nil
	case v.Kind() == 'f':
		f := Dead("is not active", fetched)
		f.Keep = Inactive
		return f, nil
	case v.Kind() != 't':
		return Dead("is not called active: the member is no boolean", fetched), nil
	}
	c, err := n.claims(m, raw)
	if err != nil {
		return Fact{}, err
	}
	c.Fetched = fetched
	if why := n.foreign(m, c); why != "" {
		return Dead(why, fetched), nil
	}
	f := Fact{Claims: c, Keep: Active}
	if c.ExpiresAt != 0 && authz.At(fetched) >= c.ExpiresAt {
		f.Keep = Nowhere // a clock is wrong here or there: do not hold on to it
	}
	return f, nil
}

// foreign says why a token that is active is none for this resource server: INT-10, INT-11. That is no word of the
// server about the token, so it is not kept.
func (n *Reader) foreign(m members, c *authz.Claims) string {
	switch {
	case m.has("iss") && !n.is(c.Issuer):
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

// is reports whether iss names the issuer.
func (n *Reader) is(iss string) bool {
	if n.issuer == "" && len(n.aliases) == 0 {
		return true
	}
	return iss == n.issuer && iss != "" || slices.Contains(n.aliases, iss)
}

func (n *Reader) claims(m members, raw jsontext.Value) (*authz.Claims, error) {
	d := n.dialect
	c := &authz.Claims{
		Active:       true,
		Kind:         d.kindOf(m),
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

func (n *Reader) tenantOf(raw jsontext.Value) string {
	for _, p := range n.tenant {
		if s, ok := text(find(raw, p)); ok && s != "" {
			return s
		}
	}
	return ""
}

func (n *Reader) rolesOf(m members, raw jsontext.Value) []string {
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
