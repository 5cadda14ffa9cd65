package authz

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Revocation names tokens that were revoked. Cached facts about them are dropped, so that their issuer is asked again.
// Where the answer of the issuer does not know of the revocation, the revocation itself ends them. A token must match
// all members that are set. A Revocation that sets none matches no token, unless All is set.
type Revocation struct {
	// Issuer is the configured name of an issuer; empty means every one.
	Issuer string
	// Token is the token itself, TokenID its jti, SessionID its sid, ClientID the client it was issued to.
	Token                        secret.Text
	TokenID, SessionID, ClientID string
	// Subject is the sub, Username and Email what the issuer calls the user otherwise, Tenant whom the user belongs
	// to.
	Subject, Username, Email, Tenant string
	// All means every token, of Issuer when it is set.
	All bool
	// At is when it happened, by the clock of the issuer; the zero time is now, by the clock of the sidecar. Tokens
	// that were issued later are not revoked.
	At time.Time
	// OfSession is the session that ended, beside a Subject, because few tokens name their session. A token that names
	// another session is asked about again, and not ended.
	OfSession string
	// Event is set when a signed event of the issuer caused it (a logout, a security event), and not an operator.
	Event bool
}
