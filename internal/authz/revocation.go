package authz

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Revocation names tokens that are said to be over. What is known about them is forgotten, and their issuer is asked again.
// Where the answer of the issuer could not tell, the revocation itself ends them. All members that are set must match. One that names nothing matches nothing, unless All.
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
	// At is when it happened, by the clock of the issuer; the zero time is now, by ours. Tokens issued later are not meant.
	At time.Time
	// OfSession is the session that ended, where the user is named besides because few tokens name their session. A token that
	// names another session is asked about, and not ended.
	OfSession string
	// Event is set when an event that the issuer signed says so: a logout, a security event. Else an operator does.
	Event bool
}
