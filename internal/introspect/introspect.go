// Package introspect finds out what is known about a token: it asks an authorization server (RFC 7662), validates a JWT
// itself (RFC 9068), or does both.
//
// One Issuer is a few parts, worn one over another:
//
//	Cache -> Flight -> Modes -> Guard -> Client -> authorization server
//
// Cache keeps answers for a bounded time in bounded memory, Flight lets many callers share one question, Modes chooses how
// a token is looked at, Guard spares a server in trouble, Client asks. Each keeps facts. None of them decides anything.
package introspect

import (
	"context"
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
	// signed is set when the signature of the token was verified here.
	signed bool
}

// Mode is how a token is looked at.
type Mode = authz.Mode

// The modes.
const (
	Introspect        = authz.ModeIntrospect
	JWT               = authz.ModeJWT
	JWTThenIntrospect = authz.ModeJWTThenIntrospect
	IntrospectOpaque  = authz.ModeIntrospectOpaque
)

// Introspector reports the claims of a token. An inactive token is an answer, not an error: its claims are not Active.
// An error is an *authz.Error and means that there is no answer: of kind Unavailable or Misconfigured, or Malformed when
// the request does not say whose token it is.
// Whether active claims are good at this moment is asked of them, on every request, with authz.Claims.Usable.
type Introspector interface {
	Introspect(ctx context.Context, q Question) (*authz.Claims, error)
}

// Observer is told what happens. Its methods are called on the request path: they must not block.
type Observer interface {
	// Asked reports one question that reached, or tried to reach, the server. outcome is one of Outcomes.
	Asked(issuer, outcome string, took time.Duration)
	// Cached reports a look-up in a cache ("active", "inactive"): a hit or a miss.
	Cached(issuer, cache string, hit bool)
	// Evicted reports n entries, possibly none, that a cache gave up. cause is one of Causes.
	Evicted(issuer, cache, cause string, n int)
	// Stale reports that an answer past its soft lifetime was used. why is one of Excuses.
	Stale(issuer, why string)
	// Refreshed reports how a refresh in the background ended. outcome is one of Refreshes.
	Refreshed(issuer, outcome string)
	GuardObserver
}

// Causes are why a cache gives up answers: Room is wanting, or the tokens were Revoked.
var Causes = []string{Room, Revoked}

// Excuses are why a stale answer is used: a new one is being fetched (Refreshing), or could not be (Failing).
var Excuses = []string{Refreshing, Failing}

// Refreshes are the ways in which a refresh can end: Crowded is one for which too many questions were under way.
var Refreshes = []string{"ok", "failed", Crowded}

// Members of those sets.
const (
	Room       = "room"
	Revoked    = "revocation"
	Refreshing = "refreshing"
	Failing    = "failing"
	Crowded    = "crowded"
)

// Outcomes is the closed set of ways a question can end.
var Outcomes = []string{"active", "inactive", "unavailable", "misconfigured"}

// asker finds out about a token, past all caches. It ends by itself in bounded time. The Mode of the question is always set.
type asker interface {
	ask(ctx context.Context, q Question) (fact, error)
}

// fact is what is known about a token, and who said so: part of the key under which it is kept. One without endpoint was
// found out here.
type fact struct {
	dialect.Fact
	endpoint string
	control  directives    // how long it may be kept, in the words of who said so
	own      *authz.Claims // what the token says of itself, where an answer was joined with it; else nil
}
