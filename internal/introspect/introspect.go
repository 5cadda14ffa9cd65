// Package introspect is the vocabulary of token introspection: the question about a token, what is known about the
// token, and the one interface of the layers that find it out.
//
// The layers of one issuer stand one over another, each in its own package. Each is an Asker that asks the next:
//
//	cache -> local -> guard -> remote -> authorization server
//
// The cache keeps answers for a bounded time in bounded memory, and lets callers share one question. The local layer
// validates JWTs (RFC 9068) where the mode says so. The guard retries, breaks the circuit and limits guesses. The
// remote layer exchanges question and answer with the server (RFC 7662, RFC 9701). Package route chooses the issuer
// of a token, and package issuer builds the layers from a configuration. All of them deal in facts; none decides
// about access.
package introspect

import (
	"context"
	"fmt"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Question is a token and what shapes the question about it.
type Question struct {
	Token secret.Text
	// Host and Headers are those of the request that carries the token, in lower case: they help to choose an issuer.
	Host    string
	Headers map[string][]string
	// Source is the address of the client of that request, or empty.
	Source    string
	Freshness authz.Freshness
	// From is where the token was; the zero From is a place that every issuer accepts.
	From From
	// Verified is set by the local layer once it verified the signature of the token: such a token is no guess.
	Verified bool
}

// From is the place of a token, which only some issuers may accept.
type From struct {
	Place authz.Place
	// General is set for the place of the tokens of all issuers that name none.
	General bool
}

// Accepted reports whether tokens of an issuer that names a place, or none, may come from f.
func (f From) Accepted(named authz.Place) bool {
	switch {
	case f == From{}:
		return true
	case named == authz.Place{}:
		return f.General
	}
	return f.Place == named
}

// Introspector reports the claims of a token. An inactive token is an answer, not an error: its claims are not
// Active. An error is an *authz.Error and means that there is no answer: of kind Unavailable or Misconfigured, or
// Malformed when the request does not say whose token it is. Whether active claims are usable at this moment is asked
// of them, on every request, with authz.Claims.Usable.
type Introspector interface {
	Introspect(ctx context.Context, q Question) (*authz.Claims, error)
}

// Asker is one layer: it finds out about a token, by itself or by asking the next layer. The mode of the question is
// always set. Ask ends in bounded time, also when ctx does not. Its errors are those of an Introspector.
type Asker interface {
	Ask(ctx context.Context, q Question) (Fact, error)
}

// AskerFunc is a function that is an Asker.
type AskerFunc func(ctx context.Context, q Question) (Fact, error)

// Ask calls f.
func (f AskerFunc) Ask(ctx context.Context, q Question) (Fact, error) { return f(ctx, q) }

// Fact is what is known about a token, and where it came from.
type Fact struct {
	dialect.Fact
	// Endpoint is the URL that was asked, which is part of the cache key; empty when the fact was found out locally.
	Endpoint string
	// Control bounds how long the fact may be cached.
	Control CacheControl
	// Own are the claims that the token itself carries, where the answer of a server was merged with them; else nil.
	Own *authz.Claims
}

// CacheControl is what the Cache-Control field of an answer says (RFC 9111 section 5.2.2). The zero value says
// nothing.
type CacheControl struct {
	// MaxAge is the longest time of use, from when the answer was asked for; meaningful when Limited.
	MaxAge  time.Duration
	Limited bool
	// MustRevalidate forbids the use past MaxAge during an outage, too.
	MustRevalidate bool
}

// Answer is the answer of the server to one uncached question, for diagnosis. Body may hold anything, the token
// included: show it only to a person who has the token.
type Answer struct {
	// Endpoint is the URL that was asked; empty when it could not be found out, and when no server was asked.
	Endpoint string
	// Status is the HTTP status; 0 when there was no answer.
	Status int
	// ContentType is the header as received.
	ContentType string
	// Error is the OAuth error code of a refusal (RFC 6749 section 5.2); empty when there is none that is known.
	Error string
	// Date is when the server says that it answered; zero when it does not.
	Date time.Time
	// Body is the payload, decompressed, and no longer than max_response_bytes.
	Body []byte
	// Verified is the answer inside a signed response that has been verified; nil when the response is not signed.
	Verified []byte
	// Claims is what the body means; nil when it has no meaning, and then there is an error. Where the token was
	// validated locally and no server was asked, it is what the token itself says.
	Claims *authz.Claims
}

// Revoker is the source of a revocation. A greater one is stronger evidence.
type Revoker uint8

// The revokers.
const (
	NotRevoked     Revoker = iota
	ByOtherSession         // another session of the same user ended, and perhaps this one
	ByOperator
	ByEvent // signed by the issuer
)

// MaxTokenBytes bounds what is sent as a token: INT-12. Servers answer 400 to longer ones, which would look like a
// misconfiguration.
const MaxTokenBytes = 16 << 10

// TooLong is why a token of more than MaxTokenBytes is refused.
func TooLong() authz.Unusable {
	return authz.NotUsable(authz.Unreadable, fmt.Sprintf("is longer than %d bytes", MaxTokenBytes))
}

// Codes of errors.
const (
	// TooManyUnknownTokens is the code of the error of a token that is not asked about because too many others, never
	// seen before, turned out not to be active.
	TooManyUnknownTokens = "too_many_unknown_tokens"
	// NothingNamed is that of a revocation that names nothing, or both all and some.
	NothingNamed = "nothing_named"
	// UnknownIssuer is that of a revocation of tokens of an issuer that is not configured.
	UnknownIssuer = "unknown_issuer"
	// IssuerNeeded is that of a revocation by a name that two issuers may give to two people.
	IssuerNeeded = "issuer_needed"
)
