// Package guard protects an authorization server, and the sidecar, when one of the two is in trouble: it limits
// guesses of tokens, retries what may pass, and stops questions to a server that fails.
package guard

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/fetch"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Config bounds what an outage, or a flood of unknown tokens, may cost.
type Config struct {
	Retries         int           `yaml:"retries" default:"1" min:"0" max:"3" doc:"Further attempts after a failed connection or a 502, 503 or 504, within timeout."`
	BreakerFailures int           `yaml:"breaker_failures" default:"10" min:"1" doc:"Consecutive failures (no answer, 429 or 5xx) after which the circuit breaker opens."`
	BreakerDelay    time.Duration `yaml:"breaker_delay" default:"250ms" min:"10ms" max:"1m" doc:"Pause between the probes of an open circuit breaker; 2 ms while connections are refused."`
	UnknownTokens   float64       `yaml:"unknown_tokens" default:"1000" min:"0" doc:"Unknown tokens per second that may turn out to be inactive. Over the limit, only tokens that were recently active are introspected. 0 sets no limit."`
	UnknownBySource float64       `yaml:"unknown_tokens_by_source" default:"50" min:"0" doc:"The same limit per client address (IPv6: /64), as callers report it. 0 sets no limit."`
}

// Causes of refusals, in metrics.
const (
	causeOpen          = "open"
	causeRetryAfter    = "retry_after"
	causeUnknownSource = "unknown_source"
	causeUnknownTotal  = "unknown_total"
)

// Deps is what a Guard needs besides its own configuration.
type Deps struct {
	Issuer       string        // its configured name
	Timeout      time.Duration // of a question, further attempts included
	MaxInFlight  int
	KeptFor      time.Duration // how long an active answer may be used without a question
	Fingerprints *secret.Fingerprinter
	Metrics      metrics.Registerer // of the issuer; may be nil
	Log          *slog.Logger
}

// Guard is the layer before the exchange with the server:
//
//	guess limiter -> retry -> breaker -> next
//
// It stands behind the cache, which shares one question among many callers: what it refuses or asks again counts once
// for all of them. A token that needs no question is never refused by it.
type Guard struct {
	next         introspect.Asker
	name         string
	timeout      time.Duration
	retries      int
	fingerprints *secret.Fingerprinter
	breaker      *breaker
	guesses      *guessLimiter
	refused      map[string]metrics.Counter // by cause
	retried      metrics.Counter
}

var _ introspect.Asker = (*Guard)(nil)

// New returns the guard before next.
func New(next introspect.Asker, cfg Config, deps Deps) *Guard {
	g := &Guard{
		next: next, name: deps.Issuer, timeout: deps.Timeout, retries: cfg.Retries, fingerprints: deps.Fingerprints,
		breaker: newBreaker(cfg, deps),
		refused: introspect.NewRefusals(deps.Metrics, causeOpen, causeRetryAfter, causeUnknownSource,
			causeUnknownTotal),
		retried: metrics.NewCounter(deps.Metrics, "sidecar_introspect_retries_total",
			"Introspection requests sent again after a failure."),
	}
	g.guesses = newGuessLimiter(cfg, deps, g.refused)
	metrics.NewGaugeFunc(deps.Metrics, "sidecar_introspect_breaker_state",
		"State of the circuit breaker: 0 closed, 1 half-open, 2 open.",
		func() float64 { return float64(g.Breaker()) })
	return g
}

// Breaker is the state of the circuit breaker.
func (g *Guard) Breaker() State { return g.breaker.State() }

// Ask asks the next layer unless that is refused.
func (g *Guard) Ask(ctx context.Context, q introspect.Question) (introspect.Fact, error) {
	if q.Verified { // it is no guess
		return g.askWithRetry(ctx, q)
	}
	key := g.fingerprints.Of(q.Token, "guess", g.name)
	if err := g.guesses.Admit(key, q.Source); err != nil {
		return introspect.Fact{}, err
	}
	f, err := g.askWithRetry(ctx, q)
	if err == nil {
		g.guesses.Learn(key, q.Source, f.Claims.Active)
	}
	return f, err
}

// askWithRetry asks, and asks again after a failure that may have passed, as long as the time of the question lasts.
func (g *Guard) askWithRetry(outer context.Context, q introspect.Question) (f introspect.Fact, err error) {
	ctx, cancel := context.WithTimeout(outer, g.timeout)
	defer cancel()
	for n := 0; ; n++ {
		e, rejection := g.breaker.Acquire()
		if rejection != nil && n > 0 {
			return f, err // the answer of the server says more
		}
		if rejection != nil {
			g.refused[rejection.cause].Inc()
			return introspect.Fact{}, rejection.err
		}
		if n > 0 {
			g.retried.Inc()
		}
		f, err = g.askOnce(ctx, outer, e, q)
		if err == nil || n >= g.retries || !backoff(ctx, n, err) {
			return f, err
		}
	}
}

// askOnce asks and tells the breaker how it went. A caller that left, and a panic, say nothing about the server.
func (g *Guard) askOnce(ctx, outer context.Context, e *epoch, q introspect.Question) (f introspect.Fact, err error) {
	h := ignored
	defer func() { g.breaker.Release(e, h, err) }()
	f, err = g.next.Ask(ctx, q)
	if outer.Err() == nil {
		h = healthOf(err)
	}
	return f, err
}

// backoff waits before another attempt. It reports whether there is to be one: not after a failure that lasts, and
// not when the wait does not fit into the time that is left.
func backoff(ctx context.Context, attempt int, err error) bool {
	f, ok := errors.AsType[*oauth.Failure](err)
	if !ok || !mayPass(f) {
		return false
	}
	pause := firstPause
	if f.Reason == oauth.Unserved {
		pause = refusedPause
	}
	pause <<= attempt
	wait := retryAfter(err) + pause/2 + fetch.Jitter(pause)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
		return false
	}
	return fetch.Sleep(ctx, wait)
}

// firstPause is the middle of the pause before the second attempt; it doubles for each further one.
const firstPause = 50 * time.Millisecond

// refusedPause is the same after a refused connection, and the pause between the probes of an open breaker then. A
// refusal costs the server nothing, comes at once, and mostly lasts: a caller is not kept waiting for the exception,
// which is another server behind the same address.
const refusedPause = 2 * time.Millisecond

// mayPass reports whether a failure may be over in a moment. A timeout has used up the time; a 429 asks for fewer
// questions; a 500 may be caused by the question itself.
func mayPass(f *oauth.Failure) bool {
	switch f.Status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return f.Reason == oauth.Broken || f.Reason == oauth.Unserved
}

// retryAfter is when the server wants to be asked again; 0 when it did not say.
func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*authz.Error](err); ok {
		return e.RetryAfter
	}
	return 0
}
