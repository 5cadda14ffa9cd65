package introspect

import (
	"math"
	"sync"
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
// Errors are never kept. It knows what was revoked, too: what it keeps, and what it says may be used, has to get past that.
type cache struct {
	name             string
	keys             keys
	marker           marker
	active, inactive *sieve
	life, deadLife   lifetime
	control          string
	ahead            time.Duration // of ours, that the issuer's clock may be
	observer         Observer

	// mu is held for reading while an answer is checked against what was revoked and kept, and for writing while tokens are
	// revoked and evicted: an answer is kept before, and evicted, or comes after, and is found to be covered.
	mu      sync.RWMutex
	revoked *revocations
	settles *cooldown
}

func newCache(cfg Config, k keys, o Observer) *cache {
	name, c := cfg.Endpoint.Name, cfg.Cache
	told := func(which string) func(int) {
		return func(n int) { o.Evicted(name, which, Room, n) }
	}
	life, deadLife := c.lifetimes()
	return &cache{
		name:     name,
		keys:     k,
		marker:   newMarker(k),
		active:   newStore(c.MaxEntries, c.MaxBytes, told(activeCache)),
		inactive: newStore(c.NegativeMaxEntries, math.MaxInt64, told(inactiveCache)), // they have no body: their number bounds them
		life:     life,
		deadLife: deadLife,
		control:  c.CacheControl,
		ahead:    cfg.issuedAhead(),
		observer: o,
		revoked:  newRevocations(c.RevocationMemory),
		settles:  newCooldown(),
	}
}

// look returns what is known about a token and may be used at now, or nil, and reports the look-up. What was asked for
// before since does not count.
func (c *cache) look(key secret.Fingerprint, since, now time.Time) *entry {
	e := c.active.get(key, now)
	hit := e.counts(since, now)
	c.observer.Cached(c.name, activeCache, hit)
	if hit {
		return e
	}
	e = c.inactive.get(key, now)
	hit = e.counts(since, now)
	c.observer.Cached(c.name, inactiveCache, hit)
	if hit {
		return e
	}
	return nil
}

// peek is look for a flight about to start: the one before it may have landed in the meantime. It is not counted twice.
func (c *cache) peek(key secret.Fingerprint, since time.Time) *authz.Claims {
	now := time.Now()
	for _, s := range []*sieve{c.active, c.inactive} {
		if e := s.get(key, now); e.counts(since, now) {
			return e.claims
		}
	}
	return nil
}

// old returns the claims of an active answer that is past its hard lifetime and may be used while the server does not
// answer, or nil.
func (c *cache) old(key secret.Fingerprint, since time.Time) *authz.Claims {
	if e := c.active.get(key, time.Now()); e != nil && !e.claims.Fetched.Before(since) {
		return e.claims
	}
	return nil
}

// counts reports whether an entry may be used without asking first.
func (e *entry) counts(since, now time.Time) bool {
	return e != nil && e.age(now) < e.life.hard && !e.claims.Fetched.Before(since)
}

// stale reports whether an entry had better be refreshed.
func (e *entry) stale(now time.Time) bool { return e.age(now) >= e.life.soft }

// keep stores a fact about a token under a key as far as it allows, and forgets what was known before. It reports whether
// the fact may be used: one that was asked for before the token was revoked may not, and is not kept. One that may is also
// settled, before any other revocation can be put in force.
func (c *cache) keep(key secret.Fingerprint, tok secret.Text, f fact, d query, settle func()) bool {
	marks := c.marker.of(tok, f.Claims, f.own)
	life, deadLife := c.life, c.deadLife
	if c.control == "respect" {
		life, deadLife = life.within(f.control), deadLife.within(f.control)
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	now := time.Now()
	if c.revoked.revokedSince(d, marks) || f.Claims.Source == authz.LocalJWT && c.revoked.by(marks, nil, f.Claims.IssuedAt, now) != notRevoked {
		c.settles.hold(marks[:1], now)
		return false
	}
	if at, lately := c.revoked.latest(marks, f.Claims.Fetched); lately {
		life = shorten(life, f.Claims.Fetched.Sub(at))
	}
	switch f.Keep {
	case dialect.Active:
		f.Claims.FreshFor = life.soft
		if life.soft == 0 && life.last > 0 {
			f.Claims.FreshFor = 1 // 0 would set no limit
		}
		c.inactive.drop(key, f.Claims.Fetched)
		c.active.put(key, f.Claims, life, marks, now)
	case dialect.Inactive:
		c.active.drop(key, f.Claims.Fetched)
		c.inactive.put(key, f.Claims, deadLife, marks, now)
	case dialect.DoNotCache:
		c.active.drop(key, f.Claims.Fetched)
		c.inactive.drop(key, f.Claims.Fetched)
	}
	settle()
	return true
}

// evict forgets what is kept about the tokens that v means, and sees to it that no answer that is under way is used. It
// marks nothing inactive: the next question finds out. v names something, or all.
func (c *cache) evict(v authz.Revocation) int {
	marks := c.marker.named(v)
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.revoked.add(revocation{
		marks: marks, before: before(v, c.ahead, now), by: revokerOf(v), session: c.marker.session(v.OfSession), arrived: now,
	})
	var active, inactive int
	if len(marks) == 0 {
		c.settles.holdAll(now)
		active, inactive = c.active.clear(), c.inactive.clear()
	} else {
		tokens := c.active.evict(marks)
		c.settles.hold(tokens, now)
		active, inactive = len(tokens), len(c.inactive.evict(marks))
	}
	c.observer.Evicted(c.name, activeCache, Revoked, active)
	c.observer.Evicted(c.name, inactiveCache, Revoked, inactive)
	return active + inactive
}

// revokedBy is who revoked a token, by what each of sources says that it names, unless it was issued after that. The first
// source says when it was issued.
func (c *cache) revokedBy(tok secret.Text, sources ...*authz.Claims) revoker {
	if !c.revoked.ends() {
		return notRevoked
	}
	var sessions []mark
	for _, s := range sources {
		if s.SessionID != "" {
			sessions = append(sessions, c.marker.session(s.SessionID))
		}
	}
	return c.revoked.by(c.marker.of(tok, sources...), sessions, sources[0].IssuedAt, time.Now())
}

func (c *cache) sweep() {
	c.active.sweep()
	c.inactive.sweep()
	c.revoked.sweep(time.Now())
}

// keys makes the names under which answers are kept and questions shared: everything that shapes the answer, and the
// token only as a keyed digest (INT-15).
type keys struct {
	fingerprints           *secret.Fingerprinter
	name, issuer, clientID string
}

func (k keys) of(tok secret.Text, endpoint string, mode Mode) secret.Fingerprint {
	return k.fingerprints.Of(tok, k.name, k.issuer, endpoint, k.clientID, string(mode))
}
