// Package cache keeps what was found out about tokens, for a bounded time and in bounded memory, lets callers that
// ask about the same token share one question, and evicts answers when tokens are revoked.
package cache

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// Deps is what a Cache needs besides its own configuration.
type Deps struct {
	// Issuer is the configured name, Identifier the issuer identifier, ClientID that of the sidecar: with the
	// endpoint they are part of the key of each entry (INT-15).
	Issuer, Identifier, ClientID string
	Endpoint                     func() string // the one that is asked, or empty while it is unknown
	MaxInFlight                  int
	Fingerprints                 *secret.Fingerprinter
	Revocations                  *Revocations
	IssuedAhead                  time.Duration      // how far ahead the clock of the issuer may be
	Metrics                      metrics.Registerer // of the issuer; may be nil
}

// InFlight is how many questions are in flight, and how many may be; and the cause of refusals, in metrics, that a
// further question would get now, or "".
func (c *Cache) InFlight() (use status.Use, refusing string) {
	if use = c.flight.use(); use.Used >= use.Limit {
		refusing = causeConcurrency
	}
	return use, refusing
}

// Stats is what a Cache holds.
type Stats struct {
	Active, Inactive StoreStats
	// Tombstones are revocations that may overtake a question in flight, Revocations those remembered against JWTs.
	Tombstones, Revocations int
}

// Cache is the first layer. It keeps active and inactive answers apart, so that a flood of unknown tokens cannot push
// out active ones: INT-18. Errors are never kept.
type Cache struct {
	next             introspect.Asker
	deps             Deps
	counts           *counts
	active, inactive *store
	stores           [2]*store // both, in the order of look-ups
	activeLife       lifetime
	inactiveLife     lifetime
	respectControl   bool
	flight           *flight
	cap              atomic.Pointer[ttlCap]
	scopes           atomic.Pointer[[]scope]

	// mu is held for reading while an answer is compared with what was revoked and kept, and for writing while tokens
	// are revoked and evicted: an answer is either kept before, and then evicted, or compared after, and then
	// discarded.
	mu       sync.RWMutex
	revoked  *Revocations
	cooldown *cooldown
}

var _ introspect.Asker = (*Cache)(nil)

// New returns the cache before next.
func New(next introspect.Asker, cfg Config, deps Deps) *Cache {
	counts := newCounts(deps.Metrics)
	c := &Cache{
		next: next, deps: deps, counts: counts,
		active: newStore(cfg.MaxEntries, cfg.MaxBytes, counts.active),
		// Inactive answers have no body: their number bounds them.
		inactive:       newStore(cfg.NegativeMaxEntries, math.MaxInt64, counts.inactive),
		respectControl: cfg.CacheControl == "respect",
		revoked:        deps.Revocations,
		cooldown:       newCooldown(),
	}
	c.stores = [2]*store{c.active, c.inactive}
	c.activeLife, c.inactiveLife = cfg.lifetimes()
	c.flight = newFlight(c)
	c.register(deps.Metrics)
	return c
}

// Ask returns what is kept about the token of q, or asks the next layer. Of a kept fact it returns the claims only.
func (c *Cache) Ask(ctx context.Context, q introspect.Question) (introspect.Fact, error) {
	now := time.Now()
	since := c.notBefore(q.Freshness.Since(now), now)
	key := c.key(q, c.deps.Endpoint())
	for _, s := range c.stores {
		e := s.get(key, now)
		hit := e.usable(since, now)
		s.counts.lookedUp(hit)
		if !hit {
			continue
		}
		if e.stale(now) {
			c.counts.stale.Inc(staleRefreshing)
			if e.due(now) {
				c.flight.startDetached(ctx, c.key(q, ""), q)
			}
		}
		return known(s.of(e)), nil
	}
	claims, err := c.flight.share(ctx, c.key(q, ""), q, since)
	if introspect.ServerFailed(err) {
		if old := c.old(key, since); old != nil {
			c.counts.stale.Inc(staleFailing)
			return known(old), nil
		}
	}
	return known(claims), err
}

func known(c *authz.Claims) introspect.Fact { return introspect.Fact{Fact: dialect.Fact{Claims: c}} }

// key is the name under which an answer is kept: everything that shapes it, and the token only as a keyed digest
// (INT-15). A flight has a key without endpoint: the first question of all finds out where the endpoint is, and those
// that come before and after that share a flight too.
func (c *Cache) key(q introspect.Question, endpoint string) secret.Fingerprint {
	return c.deps.Fingerprints.Of(q.Token, c.scope(endpoint, q.Freshness.Mode))
}

// peek looks for the answer of a flight that ended since the look-up. It is not counted as a look-up.
func (c *Cache) peek(q introspect.Question, since time.Time) *authz.Claims {
	key, now := c.key(q, c.deps.Endpoint()), time.Now()
	for _, s := range c.stores {
		if e := s.get(key, now); e.usable(since, now) {
			return s.of(e)
		}
	}
	return nil
}

// old returns the claims of an active answer that is past its hard lifetime and may be used while the server fails,
// or nil.
func (c *Cache) old(key secret.Fingerprint, since time.Time) *authz.Claims {
	if e := c.active.get(key, time.Now()); e != nil && !e.fetched.Before(since) {
		return c.active.of(e)
	}
	return nil
}

// maxFetches bounds how often one flight asks when revocations keep overtaking it.
const maxFetches = 3

// fetch asks and keeps the answer before the flight ends, so that no other question starts in between. A revocation
// that arrives while the question is in flight wins: the answer may be older, and the question is put again.
func (c *Cache) fetch(ctx context.Context, q introspect.Question) (*authz.Claims, error) {
	for range maxFetches {
		f, ok, err := c.fetchOnce(ctx, q)
		if ok || err != nil {
			return f.Claims, err
		}
	}
	return nil, authz.Errorf(authz.Unavailable,
		"introspect at issuer %q: the token was revoked %d times while it was asked about", c.deps.Issuer, maxFetches)
}

func (c *Cache) fetchOnce(ctx context.Context, q introspect.Question) (f introspect.Fact, ok bool, err error) {
	c.cooldown.wait(ctx, c.revoked.marker.token(q.Token))
	started := c.revoked.begin()
	defer c.revoked.end(started)
	if f, err = c.next.Ask(ctx, q); err != nil {
		return introspect.Fact{}, false, err
	}
	endpoint := f.Endpoint
	if endpoint == "" { // found out locally: it is kept where it is looked for
		endpoint = c.deps.Endpoint()
	}
	return f, c.keep(c.key(q, endpoint), q, f, started), nil
}

// keep stores a fact as far as the fact allows, and forgets what was known before. It reports whether the fact may be
// used: one that was asked for before the token was revoked may not, and is not kept. For one that may be used, the
// flight takes no more callers before any other revocation can be added.
func (c *Cache) keep(key secret.Fingerprint, q introspect.Question, f introspect.Fact, started query) bool {
	marks := c.revoked.marker.of(q.Token, f.Claims, f.Own)
	active, inactive := c.activeLife, c.inactiveLife
	if c.respectControl {
		active, inactive = active.within(f.Control), inactive.within(f.Control)
	}
	e := newEntry(key, f.Claims)
	c.mu.RLock()
	defer c.mu.RUnlock()
	now := time.Now()
	if c.revoked.revokedSince(started, marks) || f.Claims.Source == authz.LocalJWT &&
		c.revoked.by(marks, nil, f.Claims.IssuedAt, now) != introspect.NotRevoked {
		c.cooldown.begin(marks[:1], now)
		return false
	}
	if at, lately := c.revoked.latest(marks, f.Claims.Fetched); lately {
		active = shorten(active, f.Claims.Fetched.Sub(at))
	}
	switch f.Keep {
	case dialect.Active:
		f.Claims.FreshFor = active.fresh()
		c.inactive.drop(e.key, e.fetched)
		c.active.put(e, active, marks, now)
	case dialect.Inactive:
		c.active.drop(e.key, e.fetched)
		c.inactive.put(e, inactive, marks, now)
	case dialect.DoNotCache:
		c.active.drop(e.key, e.fetched)
		c.inactive.drop(e.key, e.fetched)
	}
	c.flight.forget(c.key(q, ""))
	return true
}

// Evict forgets what is kept about the tokens that v means, and discards answers to questions in flight about them.
// It marks no token inactive: the next question finds out. It returns the number of answers, or the code of why v is
// not valid: v names something, or all.
func (c *Cache) Evict(v authz.Revocation) (n int, code string) {
	marks := c.revoked.marker.named(v)
	if v.All != (len(marks) == 0) {
		return 0, introspect.NothingNamed
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.revoked.add(revocation{
		marks: marks, before: before(v, c.deps.IssuedAhead, now), by: revokerOf(v), arrived: now,
		session: c.revoked.marker.session(v.OfSession),
	})
	var active, inactive int
	if v.All {
		c.cooldown.beginAll(now)
		active, inactive = c.active.clear(), c.inactive.clear()
	} else {
		tokens := c.active.evict(marks)
		c.cooldown.begin(tokens, now)
		active, inactive = len(tokens), len(c.inactive.evict(marks))
	}
	c.active.counts.evicted.Add(evictedRevocation, active)
	c.inactive.counts.evicted.Add(evictedRevocation, inactive)
	return active + inactive, ""
}

// Sweep gives back the memory of what expired. Nothing expired is ever returned, swept or not.
func (c *Cache) Sweep() {
	c.active.sweep()
	c.inactive.sweep()
	c.revoked.sweep(time.Now())
}

// Stats is the size of what is held.
func (c *Cache) Stats() Stats {
	pending, remembered := c.revoked.counts()
	return Stats{Active: c.active.stats(), Inactive: c.inactive.stats(), Tombstones: pending, Revocations: remembered}
}

// Capacity is how many active answers fit that are like those held, and the key of the bound that sets that number:
// max_entries or max_bytes.
func (c *Cache) Capacity() (answers int, bound string) { return c.active.capacity(c.active.stats()) }

// Close refuses new questions, cancels those in flight and waits for them. What is kept can still be had.
func (c *Cache) Close() { c.flight.close() }
