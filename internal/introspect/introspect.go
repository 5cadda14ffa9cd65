// Package introspect asks an authorization server what it knows about a token (RFC 7662).
//
// It is three parts, worn one over another:
//
//	Cache -> Flight -> Client -> authorization server
//
// Cache keeps answers for a bounded time in bounded memory, Flight lets many callers share one question, Client asks it
// and reads the answer in the dialect of the server. Each keeps facts. None of them decides anything.
package introspect

import (
	"context"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Introspector reports the claims of a token. An inactive token is an answer, not an error: its claims are not Active.
// An error is an *authz.Error of kind Unavailable or Misconfigured and means that there is no answer.
// Whether active claims are good at this moment is asked of them, on every request, with authz.Claims.Usable.
type Introspector interface {
	Introspect(ctx context.Context, tok secret.Text) (*authz.Claims, error)
}

// Observer is told what happens. Its methods are called on the request path: they must not block.
type Observer interface {
	// Asked reports one question that reached, or tried to reach, the server. outcome is one of Outcomes.
	Asked(issuer, outcome string, took time.Duration)
	// Cached reports a look-up in a cache ("active", "inactive"): a hit or a miss.
	Cached(issuer, cache string, hit bool)
	// Evicted reports entries that a cache gave up for want of room.
	Evicted(issuer, cache string, n int)
}

// Outcomes is the closed set of ways a question can end.
var Outcomes = []string{"active", "inactive", "unavailable", "misconfigured"}

// fact is an answer of the server and what may be done with it.
type fact struct {
	claims *authz.Claims
	keep   keep
	// endpoint is who said so: part of the key under which the fact is kept.
	endpoint string
}

// keep says in which cache a fact may be kept.
type keep uint8

const (
	// keepNowhere is for what the server did not clearly say, or said to be over already.
	keepNowhere keep = iota
	keepActive
	keepInactive
)

// inactive is a fact made here, without asking or against what the server said.
func inactive(why string, fetched time.Time) fact {
	return fact{claims: &authz.Claims{Why: why, Kind: authz.UnknownToken, Fetched: fetched}}
}
