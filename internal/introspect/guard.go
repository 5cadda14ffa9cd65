package introspect

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/fetch"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// GuardObserver is told what an issuer was spared. Its methods are called on the request path: they must not block.
type GuardObserver interface {
	// Refused reports a question that was not asked. cause is one of RefusalCauses.
	Refused(issuer, cause string)
	// Retried reports a question that is asked again after a failure.
	Retried(issuer string)
}

// Causes of refusals, in metrics.
const (
	refusedOpen          = "open"
	refusedHold          = "hold"
	refusedSeats         = "seats"
	refusedUnknownSource = "unknown_source"
	refusedUnknownTotal  = "unknown_total"
)

// RefusalCauses is the closed set of reasons not to ask: the breaker is open, the server wants to be left alone, too many
// questions are under way, too many unknown tokens come from one address or in all.
var RefusalCauses = []string{refusedOpen, refusedHold, refusedSeats, refusedUnknownSource, refusedUnknownTotal}

// guard spares the server, and us, when one of the two is in trouble. It wears a client:
//
//	unknown tokens -> retry -> breaker -> client
//
// It works inside a flight, so that what it refuses or asks again counts once for all who wait; and a token that needs no
// question, because it is validated here, is never refused by it.
type guard struct {
	next     asker
	name     string
	keys     keys
	timeout  time.Duration // of a question, further attempts included
	retries  int
	breaker  *breaker
	unknown  *guessLimiter
	observer Observer
}

func newGuard(next asker, cfg Config, k keys, o Observer) *guard {
	name := cfg.Endpoint.Name
	active, _ := cfg.Cache.lifetimes()
	return &guard{
		next: next, name: name, keys: k, timeout: cfg.Endpoint.Timeout, retries: cfg.Protection.Retries,
		breaker: newBreaker(name, cfg.Protection, cfg.Endpoint.Timeout, cfg.MaxInFlight), unknown: newGuessLimiter(name, cfg.Protection, active.last, o), observer: o,
	}
}

func (g *guard) ask(ctx context.Context, q Question) (fact, error) {
	if q.signed { // nobody guessed it
		return g.askWithRetry(ctx, q)
	}
	key := g.keys.of(q.Token, "", Introspect)
	if err := g.unknown.admit(key, q.Source); err != nil {
		return fact{}, err
	}
	f, err := g.askWithRetry(ctx, q)
	if err == nil {
		g.unknown.learn(key, q.Source, f)
	}
	return f, err
}

// askWithRetry asks, and asks again after a failure that may have passed, as long as the time of the question lasts.
func (g *guard) askWithRetry(outer context.Context, q Question) (f fact, err error) {
	ctx, cancel := context.WithTimeout(outer, g.timeout)
	defer cancel()
	for n := 0; ; n++ {
		t, refusal := g.breaker.enter()
		if refusal != nil && n > 0 {
			return f, err // what the server said says more
		}
		if refusal != nil {
			g.observer.Refused(g.name, refusal.cause)
			return fact{}, refusal.err
		}
		if n > 0 {
			g.observer.Retried(g.name)
		}
		f, err = g.askOnce(ctx, outer, t, q)
		if err == nil || n >= g.retries || !backoff(ctx, n, err) {
			return f, err
		}
	}
}

// askOnce asks, and tells the breaker how it went. Whoever leaves proves nothing, nor does a panic.
func (g *guard) askOnce(ctx, outer context.Context, t *turn, q Question) (f fact, err error) {
	v := nothing
	defer func() { g.breaker.leave(t, v, err) }()
	f, err = g.next.ask(ctx, q)
	if outer.Err() == nil {
		v = verdictOf(err)
	}
	return f, err
}

// backoff waits before another attempt. It reports whether there is to be one: not after a failure that lasts, and not when
// the wait does not fit into what is left of the time.
func backoff(ctx context.Context, attempt int, err error) bool {
	f, ok := errors.AsType[*oauth.Failure](err)
	if !ok || !passing(f) {
		return false
	}
	pause := firstPause << attempt
	wait := retryAfter(err) + pause/2 + fetch.Jitter(pause)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
		return false
	}
	return fetch.Sleep(ctx, wait)
}

// firstPause is the middle of the pause before the second attempt; it doubles for each further one.
const firstPause = 50 * time.Millisecond

// passing reports whether a failure may be over in a moment. One that took all the time is not asked about again, nor is
// a 429, whose server has enough of us, nor a 500, which the question itself may have caused.
func passing(f *oauth.Failure) bool {
	switch f.Status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return f.Reason == oauth.Broken
}

// retryAfter is when the server wants to be asked again; 0 when it did not say.
func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*authz.Error](err); ok {
		return e.RetryAfter
	}
	return 0
}
