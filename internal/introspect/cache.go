package introspect

import (
	"math"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// CacheStats is the size of a cache.
type CacheStats struct {
	Entries int
	// Bytes is an estimate of the memory held.
	Bytes int64
}

// Names of the caches in metrics.
const (
	activeCache   = "active"
	inactiveCache = "inactive"
)

// cache keeps active and inactive answers apart, so that a flood of rubbish tokens cannot push out the good ones: INT-18.
// Errors are never kept.
type cache struct {
	name             string
	keys             keys
	active, inactive *sieve
	ttl, negativeTTL time.Duration
	observer         Observer
}

func newCache(name string, c CacheConfig, k keys, o Observer) *cache {
	told := func(which string) func(int) {
		return func(n int) { o.Evicted(name, which, n) }
	}
	return &cache{
		name:        name,
		keys:        k,
		active:      newSieve(c.MaxEntries, c.MaxBytes, told(activeCache)),
		inactive:    newSieve(c.NegativeMaxEntries, math.MaxInt64, told(inactiveCache)), // they have no body: their number bounds them
		ttl:         c.TTL,
		negativeTTL: c.NegativeTTL,
		observer:    o,
	}
}

// look returns what is known about a token, or nil, and reports the look-up.
func (c *cache) look(key secret.Fingerprint) *authz.Claims {
	now := time.Now()
	known := c.active.get(key, now)
	c.observer.Cached(c.name, activeCache, known != nil)
	if known != nil {
		return known
	}
	known = c.inactive.get(key, now)
	c.observer.Cached(c.name, inactiveCache, known != nil)
	return known
}

// peek is look for a flight about to start: the one before it may have landed in the meantime. It is not counted twice.
func (c *cache) peek(key secret.Fingerprint) *authz.Claims {
	now := time.Now()
	if known := c.active.get(key, now); known != nil {
		return known
	}
	return c.inactive.get(key, now)
}

// keep stores a fact as far as it allows, under the endpoint it came from, and forgets the opposite.
func (c *cache) keep(tok secret.Text, f fact) {
	key := c.keys.in(f.mode).of(tok, f.endpoint)
	now := time.Now()
	switch f.Keep {
	case dialect.Nowhere:
	case dialect.Active:
		c.inactive.drop(key)
		c.active.put(key, f.Claims, c.ttl, now)
	case dialect.Inactive:
		c.active.drop(key)
		c.inactive.put(key, f.Claims, c.negativeTTL, now)
	}
}

func (c *cache) sweep() {
	c.active.sweep()
	c.inactive.sweep()
}

// keys makes the names under which answers are kept and questions shared: everything that shapes the answer, and the
// token only as a keyed digest (INT-15).
type keys struct {
	fingerprints           *secret.Fingerprinter
	name, issuer, clientID string
	mode                   Mode
}

// in returns the keys for a mode: what a token says of itself is not what its server says of it.
func (k keys) in(m Mode) keys {
	k.mode = m
	return k
}

func (k keys) of(tok secret.Text, endpoint string) secret.Fingerprint {
	return k.fingerprints.Of(tok, k.name, k.issuer, string(k.mode), endpoint, k.clientID)
}
