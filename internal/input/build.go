package input

import (
	"cmp"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// Presented is how a token came with the request.
type Presented struct {
	// Scheme is "bearer" or "dpop".
	Scheme string
	// Verified is set when the holder showed possession of the key the token is bound to.
	Verified bool
}

// Anonymous returns the document of a query without a token.
func Anonymous(q Query) *Document {
	return document(q, nil, Token{Scopes: []string{}, Roles: []string{}, Groups: []string{}, Permissions: []string{}})
}

// Build returns the document of a query whose token has claims, as of now. It is pure: same arguments, same document.
// The document shares the slices of claims, which are never changed.
func Build(q Query, c *authz.Claims, p Presented, now time.Time) *Document {
	return document(q, c, Token{
		Present:              true,
		Active:               c.Active,
		Kind:                 string(c.Kind),
		Scheme:               p.Scheme,
		Source:               string(cmp.Or(c.Source, authz.Introspection)),
		Issuer:               c.Issuer,
		ID:                   c.ID,
		Subject:              Subject{ID: c.Subject.ID, Type: string(c.Subject.Type), Username: c.Subject.Username},
		ClientID:             c.ClientID,
		Scopes:               c.Scopes,
		Audiences:            c.Audiences,
		Tenant:               c.Tenant,
		Roles:                c.Roles,
		Groups:               c.Groups,
		Permissions:          c.Permissions,
		Auth:                 auth(&c.Auth),
		Actor:                actor(c.Actor),
		AuthorizationDetails: jsontext.Value(c.AuthorizationDetails),
		Binding:              Binding{Method: method(c.Confirmation), Verified: p.Verified},
		IssuedAt:             int64(c.IssuedAt),
		NotBefore:            int64(c.NotBefore),
		ExpiresAt:            int64(c.ExpiresAt),
		Age:                  max(0, int64(now.Sub(c.Fetched)/time.Second)),
		Stale:                c.FreshFor > 0 && now.Sub(c.Fetched) >= c.FreshFor,
		Claims:               jsontext.Value(c.Raw),
	})
}

func document(q Query, c *authz.Claims, t Token) *Document {
	return &Document{
		Version: Version, Request: q.Request, Token: t,
		Subject: q.Subject, Action: q.Action, Resource: q.Resource, Context: q.Context, MCP: q.MCP, Claims: c,
	}
}

func auth(a *authz.Authentication) Auth {
	out := Auth{ACR: a.ACR, AMR: a.AMR, Time: int64(a.Time)}
	if a.HasLevel {
		out.Level = &a.Level
	}
	return out
}

func actor(a *authz.Actor) *Actor {
	if a == nil {
		return nil
	}
	return &Actor{Subject: a.Subject, ClientID: a.ClientID}
}

func method(c authz.Confirmation) string {
	switch {
	case c.JKT != "":
		return "dpop"
	case c.X5T != "":
		return "mtls"
	}
	return "none"
}
