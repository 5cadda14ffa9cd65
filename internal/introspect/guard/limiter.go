package guard

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/recent"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

const (
	// burstSeconds is how many seconds' worth of unknown tokens may come at once.
	burstSeconds = 5
	// mostSources bounds the addresses that have a limit of their own, mostKnown the tokens remembered to have been
	// active.
	mostSources = 10_000
	mostKnown   = 100_000
	// knownFor is the least time for which those tokens are. It is longer where answers are cached for longer: else a
	// logout of many users would leave no known token.
	knownFor = 10 * time.Minute
)

// guessLimiter limits the guessing of tokens: INT-12. Only a token that turns out not to be active, and was not
// lately, uses up the limit; and only tokens that were not active lately are refused then. So active tokens, however
// many come at once after a restart, never exhaust the limit, and tokens in use pass while other callers guess.
//
// Questions in flight when the limit is reached are still answered: at most max_in_flight. Each of them is charged
// all the same, below zero if need be, and so many fewer pass later: within any time t no more than burst + rate * t
// + max_in_flight guesses are asked about, however many callers guess at once.
type guessLimiter struct {
	name     string
	refused  map[string]metrics.Counter // by cause
	bySource rate.Limit                 // 0 sets no limit

	mu      sync.Mutex
	total   *rate.Limiter // nil sets no limit
	sources *recent.Map[netip.Prefix, *rate.Limiter]
	known   *recent.Map[secret.Fingerprint, struct{}]
	// sourceUntil is until when an address was refused last, for the status.
	sourceUntil time.Time
}

func newGuessLimiter(cfg Config, deps Deps, refused map[string]metrics.Counter) *guessLimiter {
	g := &guessLimiter{
		name: deps.Issuer, refused: refused, bySource: rate.Limit(cfg.UnknownBySource),
		sources: recent.New[netip.Prefix, *rate.Limiter](mostSources, 0),
		known:   recent.New[secret.Fingerprint, struct{}](mostKnown, max(knownFor, deps.KeptFor)),
	}
	if cfg.UnknownTokens > 0 {
		g.total = newLimiter(rate.Limit(cfg.UnknownTokens))
	}
	return g
}

func newLimiter(l rate.Limit) *rate.Limiter {
	return rate.NewLimiter(l, max(1, int(l*burstSeconds)))
}

// Admit refuses a question about a token that was not active lately when too many such tokens turned out not to be.
func (g *guessLimiter) Admit(key secret.Fingerprint, source string) error {
	if g.off() {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if _, ok := g.known.Get(key, now); ok {
		return nil
	}
	if l, ok := g.sources.Get(networkOf(source), now); ok {
		if err := g.exhausted(l, now, causeUnknownSource); err != nil {
			g.sourceUntil = now.Add(err.RetryAfter)
			return err
		}
	}
	if g.total != nil {
		if err := g.exhausted(g.total, now, causeUnknownTotal); err != nil {
			return err
		}
	}
	return nil
}

func (g *guessLimiter) off() bool { return g.total == nil && g.bySource <= 0 }

func (g *guessLimiter) exhausted(l *rate.Limiter, now time.Time, cause string) *authz.Error {
	left := l.TokensAt(now)
	if left >= 1 {
		return nil
	}
	g.refused[cause].Inc()
	return &authz.Error{
		Kind: authz.Unavailable, Code: introspect.TooManyUnknownTokens,
		RetryAfter: time.Duration((1 - left) / float64(l.Limit()) * float64(time.Second)),
		Err:        fmt.Errorf("introspect at issuer %q: too many unknown tokens (%s)", g.name, cause),
	}
}

// Learn is told whether a token turned out to be active.
func (g *guessLimiter) Learn(key secret.Fingerprint, source string, active bool) {
	if g.off() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if active {
		g.known.Put(key, struct{}{}, now)
		return
	}
	if _, ok := g.known.Get(key, now); ok {
		return
	}
	if g.total != nil {
		charge(g.total, now)
	}
	network := networkOf(source)
	if g.bySource <= 0 || !network.IsValid() {
		return
	}
	l, ok := g.sources.Get(network, now)
	if !ok {
		l = newLimiter(g.bySource)
		g.sources.Put(network, l, now)
	}
	charge(l, now)
}

// charge takes one token of a limiter, also one that it does not have yet: AllowN would take none then.
func charge(l *rate.Limiter, now time.Time) { l.ReserveN(now, 1) }

// networkOf is the network of a client. It is not valid when the source is not known.
func networkOf(source string) netip.Prefix {
	a, err := netip.ParseAddr(source)
	if err != nil {
		return netip.Prefix{}
	}
	return httpuri.Network(a)
}
