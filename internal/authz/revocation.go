package authz

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Revocation names tokens that somebody says are over. It proves nothing by itself: what is known about them is forgotten,
// and their issuer is asked again. All members that are set must match. One that names nothing matches nothing, unless All.
type Revocation struct {
	// Issuer is the configured name of an issuer; empty means every one.
	Issuer string
	// Token is the token itself, TokenID its jti, SessionID its sid, ClientID the client it was issued to.
	Token                        secret.Text
	TokenID, SessionID, ClientID string
	// Subject is the sub, Username and Email what the issuer calls the user otherwise, Tenant whom the user belongs to.
	Subject, Username, Email, Tenant string
	// All means every token, of Issuer when it is set.
	All bool
	// At is when the event happened at the issuer; the zero time is now. Tokens issued later are not meant.
	At time.Time
}
