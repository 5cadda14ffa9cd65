package local

import (
	"cmp"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
)

// merge joins what a token's own claims say with what its server says of it. The facts are the server's, which knows
// the state of today; the claims add whose token it is where the server is silent, and both bounds and bindings hold.
// Where both speak and differ, one of them is not about this token.
func merge(claims, answer dialect.Fact) dialect.Fact {
	c, a := claims.Claims, answer.Claims
	for _, both := range []struct{ name, claim, answer string }{
		{"iss", c.Issuer, a.Issuer}, {"sub", c.Subject.ID, a.Subject.ID}, {"jti", c.ID, a.ID},
		{"client", c.ClientID, a.ClientID},
	} {
		if both.claim != "" && both.answer != "" && both.claim != both.answer {
			return dialect.Unusable(authz.NotUsable(authz.Contradiction,
				"has two sources that disagree about its "+both.name), a.Fetched)
		}
	}
	if c.Confirmation.Bound() && a.Confirmation.Bound() && c.Confirmation != a.Confirmation {
		return dialect.Unusable(authz.NotUsable(authz.Contradiction,
			"has two sources that disagree about the key it is bound to"), a.Fetched)
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

// typeOf joins what the claims and the answer say of the type of one subject. Evidence of a person may be in either
// of the two; a client is one only where the answer agrees, or names no subject: it may have the user's name, which
// the claims lack.
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
