package authz

import "time"

// Mode is how the tokens of an issuer are looked at.
type Mode string

// The modes.
const (
	// ModeIntrospect asks the authorization server about every token (RFC 7662).
	ModeIntrospect Mode = "introspect"
	// ModeJWT validates locally (RFC 9068), and refuses what is no JWT.
	ModeJWT Mode = "jwt"
	// ModeJWTThenIntrospect validates locally first, and asks about what is good so far.
	ModeJWTThenIntrospect Mode = "jwt_then_introspect"
	// ModeIntrospectOpaque validates a JWT locally, and asks about everything else.
	ModeIntrospectOpaque Mode = "introspect_opaque"
)

// Modes are all modes.
func Modes() []Mode {
	return []Mode{ModeIntrospect, ModeJWT, ModeJWTThenIntrospect, ModeIntrospectOpaque}
}

// Local reports whether tokens are validated locally in this mode, by itself or first.
func (m Mode) Local() bool {
	return m == ModeJWT || m == ModeJWTThenIntrospect || m == ModeIntrospectOpaque
}

// Freshness is what a request asks of the facts about its token, beyond the configuration of the issuer. The zero
// Freshness asks for nothing.
type Freshness struct {
	// Mode replaces the mode of the issuer when it is not empty.
	Mode Mode
	// MaxAge is the greatest age of an answer from a cache; meaningful when Limited. 0 asks the server each time.
	MaxAge  time.Duration
	Limited bool
}

// Since is the time before which an answer is too old for a request that arrived at a time; the zero time is no limit.
func (f Freshness) Since(arrived time.Time) time.Time {
	if !f.Limited {
		return time.Time{}
	}
	return arrived.Add(-max(f.MaxAge, 0))
}
