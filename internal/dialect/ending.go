package dialect

// Ending is what a server's answer about a JWT knows of the end of that JWT, besides exp. Some servers look at the
// signature and no further, and call a JWT active whose session is over; others look up what has become of the token.
type Ending uint8

// The Endings, each of which includes those before it, but for the first.
const (
	// UnknownEnding is for servers of which it is neither recorded nor documented.
	UnknownEnding Ending = iota
	// SignatureOnly is a server that calls every JWT active whose signature is good.
	SignatureOnly
	// RevokedTokens is one whose answer knows of tokens that were revoked, and not of logouts.
	RevokedTokens
	// EndedSessions is one whose answer knows of both. What it calls active after a logout is meant to outlive it.
	EndedSessions
)

// JWTEnding is what the server's answer about a JWT knows of its end.
func (c Config) JWTEnding() Ending { return named(c.Dialect).ends }
