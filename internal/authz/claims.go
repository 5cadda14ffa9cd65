package authz

import (
	"sync/atomic"
	"time"
)

// Claims is what an authorization server said about a token, or what a validated JWT says. It is immutable but for its
// Slot: one value is shared by every request that carries the token.
type Claims struct {
	// Active is what the server said when it was asked. Usable tells whether the token may be used now.
	Active bool
	// Inactive says why Active is false.
	Inactive Unusable

	Kind TokenKind
	// Source is where these facts come from; empty means that they come from introspection.
	Source   Source
	Issuer   string
	ID       string
	Subject  Subject
	ClientID string
	// SessionID is the session the token was issued in ("sid"), when the issuer says so.
	SessionID string
	// Scopes is sorted and has no duplicates.
	Scopes []string
	// Audiences is sorted and has no duplicates; nil when the issuer sent none.
	Audiences   []string
	Tenant      string
	Roles       []string
	Groups      []string
	Permissions []string
	Auth        Authentication
	// Actor is the outermost actor (RFC 8693 section 4.1); nil when there is none.
	Actor *Actor
	// AuthorizationDetails is a JSON array (RFC 9396 section 2), or nil.
	AuthorizationDetails []byte
	Confirmation         Confirmation

	IssuedAt, NotBefore, ExpiresAt Time
	// NotBeforeSkew is how far the issuer's clock may be ahead of the sidecar's; it shifts NotBefore only.
	NotBeforeSkew time.Duration
	// ExpirySkew is how far the sidecar's clock may be ahead of the issuer's; it shifts ExpiresAt only.
	ExpirySkew time.Duration

	// Raw is the issuer's answer as it came: a JSON object without duplicate members. Nil when not active.
	Raw []byte
	// Fetched is when the question was sent to the issuer.
	Fetched time.Time
	// FreshFor is how long after Fetched these claims are fresh; later they are stale, and still good. 0 sets no
	// limit.
	FreshFor time.Duration

	// Slot belongs to the policy engine, which keeps these claims there in its own form. It is nil for claims that
	// are not kept.
	Slot *Slot
}

// TokenKind says what a token is for. Only an access token, or one without evidence of another kind, may be used.
type TokenKind string

// The kinds of token.
const (
	AccessToken  TokenKind = "access"
	RefreshToken TokenKind = "refresh"
	IDToken      TokenKind = "id"
	UnknownToken TokenKind = "unknown"
)

// Source is where facts about a token come from.
type Source string

// The sources.
const (
	Introspection Source = "introspection"
	LocalJWT      Source = "jwt"
	BothSources   Source = "both"
)

// Subject is the user or client that a token was issued for. Only (issuer, Type, ID) together are a key: RFC 9068
// section 5.
type Subject struct {
	ID       string
	Type     SubjectType
	Username string
}

// SubjectType distinguishes users from clients.
type SubjectType string

// The types of subject.
const (
	User        SubjectType = "user"
	Client      SubjectType = "client"
	UnknownType SubjectType = "unknown"
)

// Authentication is how and when the user logged in: RFC 9470 section 6.2.
type Authentication struct {
	ACR  string
	AMR  []string
	Time Time
	// Level is meaningful when HasLevel.
	Level    int64
	HasLevel bool
}

// Actor acts for the subject.
type Actor struct {
	Subject  string
	ClientID string
}

// Confirmation is the key a token is bound to ("cnf", RFC 7800). The zero value binds to nothing.
type Confirmation struct {
	// JKT is an RFC 7638 thumbprint (RFC 9449 section 6), X5T the thumbprint of a certificate (RFC 8705 section 3.1).
	JKT, X5T string
	// Unknown is the name of a confirmation method that is not understood.
	Unknown string
}

// Bound reports whether the token may only be used by the holder of a key.
func (c Confirmation) Bound() bool { return c != Confirmation{} }

// Usable reports why claims must not be used at now. It is asked on every request, after any cache: INT-10, INT-16,
// INT-20. exp is the first second in which a token has expired.
func (c *Claims) Usable(now time.Time) Unusable {
	switch {
	case !c.Active && c.Inactive.OK(): // which would say that it may be used
		return Unusable{Inactive, "is not active"}
	case !c.Active:
		return c.Inactive
	case c.Kind == RefreshToken:
		return Unusable{WrongType, "is a refresh token"}
	case c.Kind == IDToken:
		return Unusable{WrongType, "is an ID token"}
	case c.Kind != AccessToken && c.Kind != UnknownToken:
		return Unusable{WrongType, "is of no kind that is known"}
	case c.ExpiresAt != 0 && At(now.Add(-c.ExpirySkew)) >= c.ExpiresAt:
		return Unusable{Expired, "has expired"}
	case c.NotBefore != 0 && At(now.Add(c.NotBeforeSkew)) < c.NotBefore:
		return Unusable{NotYetValid, "is not valid yet"}
	}
	return Unusable{}
}

// Slot holds one opaque value beside claims. The zero Slot is empty, and so is nil, which stays empty. It is safe for
// concurrent use.
type Slot struct{ v atomic.Value }

// Load returns the value, or nil.
func (s *Slot) Load() any {
	if s == nil {
		return nil
	}
	return s.v.Load()
}

// Store replaces the value. All values stored in one Slot have the same type.
func (s *Slot) Store(v any) {
	if s != nil {
		s.v.Store(v)
	}
}
