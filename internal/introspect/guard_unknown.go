package introspect

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/recent"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// TooManyUnknownTokens is the code of the error of a token that is not asked about because too many others, never seen
// before, turned out not to be good.
const TooManyUnknownTokens = "too_many_unknown_tokens"

const (
	// burstSeconds is how many seconds' worth of unknown tokens may come at once.
	burstSeconds = 5
	// mostSources bounds the addresses that are told apart, mostKnown the tokens that are remembered to have been good.
	mostSources = 10_000
	mostKnown   = 100_000
	// knownFor is the least time for which they are. It is longer where answers are kept for longer: else a logout of many
	// would leave nobody known.
	knownFor = 10 * time.Minute
)

// guessLimiter limits the guessing of tokens: INT-12. Only a token that turns out not to be active, and was not lately, uses up
// what is allowed; and only tokens that were not active lately are refused then. So good tokens, however many come at
// once after a restart, never exhaust it, and those in use pass while somebody else does.
//
// Those that are under way when the limit is reached are still asked about: at most max_in_flight. Each of them is charged all
// the same, below zero if need be, and what they took too much is refused later: within any time t no more than
// burst + rate * t + max_in_flight guesses are asked about, however many callers guess at once.
type guessLimiter struct {
	name     string
	observer Observer
	bySource rate.Limit // 0 sets no limit

	mu      sync.Mutex
	total   *rate.Limiter // nil sets no limit
	sources *recent.Map[netip.Prefix, *rate.Limiter]
	known   *recent.Map[secret.Fingerprint, struct{}]
}

func newGuessLimiter(name string, p Protection, kept time.Duration, o Observer) *guessLimiter {
	u := &guessLimiter{
		name: name, observer: o, bySource: rate.Limit(p.UnknownBySource),
		sources: recent.New[netip.Prefix, *rate.Limiter](mostSources, 0),
		known:   recent.New[secret.Fingerprint, struct{}](mostKnown, max(knownFor, kept)),
	}
	if p.UnknownTokens > 0 {
		u.total = newLimiter(rate.Limit(p.UnknownTokens))
	}
	return u
}

func newLimiter(l rate.Limit) *rate.Limiter {
	return rate.NewLimiter(l, max(1, int(l*burstSeconds)))
}

// admit refuses to ask about a token that was not lately good when too many such were not.
func (u *guessLimiter) admit(key secret.Fingerprint, source string) error {
	if u.off() {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	if _, ok := u.known.Get(key, now); ok {
		return nil
	}
	if l, ok := u.sources.Get(networkOf(source), now); ok {
		if err := u.exhausted(l, now, refusedUnknownSource); err != nil {
			return err
		}
	}
	if u.total != nil {
		return u.exhausted(u.total, now, refusedUnknownTotal)
	}
	return nil
}

func (u *guessLimiter) off() bool { return u.total == nil && u.bySource <= 0 }

func (u *guessLimiter) exhausted(l *rate.Limiter, now time.Time, cause string) error {
	left := l.TokensAt(now)
	if left >= 1 {
		return nil
	}
	u.observer.Refused(u.name, cause)
	return &authz.Error{
		Kind: authz.Unavailable, Code: TooManyUnknownTokens,
		RetryAfter: time.Duration((1 - left) / float64(l.Limit()) * float64(time.Second)),
		Err:        fmt.Errorf("introspect at issuer %q: too many unknown tokens (%s)", u.name, cause),
	}
}

// learn is told what a token turned out to be.
func (u *guessLimiter) learn(key secret.Fingerprint, source string, f fact) {
	if u.off() {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	if f.Claims.Active {
		u.known.Put(key, struct{}{}, now)
		return
	}
	if _, ok := u.known.Get(key, now); ok {
		return
	}
	if u.total != nil {
		charge(u.total, now)
	}
	network := networkOf(source)
	if u.bySource <= 0 || !network.IsValid() {
		return
	}
	l, ok := u.sources.Get(network, now)
	if !ok {
		l = newLimiter(u.bySource)
		u.sources.Put(network, l, now)
	}
	charge(l, now)
}

// charge takes one token of a limiter, also one that it does not have yet: AllowN would take none then.
func charge(l *rate.Limiter, now time.Time) { l.ReserveN(now, 1) }

// networkOf is whom a source belongs to: an IPv4 address, or the /64 that one subscriber has of IPv6. It is not valid when
// the source is not known.
func networkOf(source string) netip.Prefix {
	a, err := netip.ParseAddr(source)
	if err != nil {
		return netip.Prefix{}
	}
	a = a.Unmap()
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
