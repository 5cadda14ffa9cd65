package cache

import (
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	gocache "github.com/patrickmn/go-cache"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// store is a bounded store of claims: go-cache, which knows expiry but no bound, behind shards that know both.
//
// What gives way is chosen by SIEVE (Zhang et al., NSDI 2024): a hand walks from the oldest entry to the newest and
// takes the first without a hit since it last came by. A hit only sets a bit, so readers share no write lock;
// and entries asked for once, as in a scan, go before entries asked for twice.
type store struct {
	shards     []*shard
	counts     *storeCounts
	maxEntries int
	maxBytes   int64
	unpacked   atomic.Pointer[[unpackedClaims]atomic.Pointer[authz.Claims]]
}

// unpackedClaims is how many entries there are claims of in the form that requests use. Those of another entry take
// the place of those before.
const unpackedClaims = 512

type shard struct {
	items *gocache.Cache

	mu             sync.Mutex // guards what follows, and every write to items
	newest, oldest *entry
	hand           *entry
	index          index
	entries        int
	bytes          int64
	maxEntries     int
	maxBytes       int64
}

// entry is immutable but for its slot, its bit, the time of its next refresh, and its nodes in the list and in the
// index.
type entry struct {
	key          string
	claims       packed
	slot         authz.Slot // of its claims
	fetched      time.Time
	expires      authz.Time
	life         lifetime
	cost         int64
	visited      atomic.Bool
	next         atomic.Int64 // age, in nanoseconds, before which no refresh starts
	newer, older *entry
	nodes        []node
}

// newEntry packs c, which is ready otherwise, and makes the slot of the entry that of c.
func newEntry(key secret.Fingerprint, c *authz.Claims) *entry {
	e := &entry{key: string(key[:]), claims: pack(c), fetched: c.Fetched, expires: c.ExpiresAt}
	c.Slot = &e.slot
	return e
}

// costOf estimates the memory that an entry of so many marks holds, in bytes.
func (e *entry) costOf(marks int) int64 { return int64(fixedCost + markCost*marks + cap(e.claims)) }

const (
	// fixedCost is what each entry takes: itself and its key, its place in go-cache's map, the handle in its slot, and
	// what allocation in classes of sizes wastes.
	fixedCost = int(unsafe.Sizeof(entry{})) + 192
	// markCost is a node and a place in the map of the index.
	markCost = int(unsafe.Sizeof(node{})) + 24
)

// of returns the claims of an entry.
func (s *store) of(e *entry) *authz.Claims {
	at := s.place(e)
	if c := at.Load(); c != nil && c.Slot == &e.slot {
		return c
	}
	c := e.claims.unpack()
	c.Fetched, c.Slot = e.fetched, &e.slot
	if c.Active {
		c.FreshFor = e.life.fresh()
	}
	at.Store(c)
	return c
}

// place is where the claims of an entry are, unless another one has taken it.
func (s *store) place(e *entry) *atomic.Pointer[authz.Claims] {
	all := s.unpacked.Load()
	if all == nil {
		s.unpacked.CompareAndSwap(nil, new([unpackedClaims]atomic.Pointer[authz.Claims]))
		all = s.unpacked.Load()
	}
	return &all[(int(e.key[1])|int(e.key[2])<<8)%unpackedClaims]
}

// forget gives back the memory of the claims of an entry that was taken out.
func (s *store) forget(e *entry) {
	if s.unpacked.Load() == nil {
		return
	}
	at := s.place(e)
	if c := at.Load(); c != nil && c.Slot == &e.slot {
		at.CompareAndSwap(c, nil)
	}
}

const (
	mostShards      = 32
	entriesPerShard = 64      // with fewer, an uneven spread of keys would waste much of the room
	bytesPerShard   = 1 << 20 // so that one large answer still fits
)

// newStore returns a store of at most maxEntries and maxBytes.
func newStore(maxEntries int, maxBytes int64, counts *storeCounts) *store {
	n := 1
	if maxEntries >= mostShards*entriesPerShard && maxBytes >= mostShards*bytesPerShard {
		n = mostShards
	}
	s := &store{shards: make([]*shard, n), counts: counts, maxEntries: maxEntries, maxBytes: maxBytes}
	for i := range s.shards {
		sh := &shard{
			// No clean-up interval: go-cache would start a goroutine that only a finaliser stops.
			items:      gocache.NewFrom(gocache.NoExpiration, 0, map[string]gocache.Item{}),
			index:      index{},
			maxEntries: maxEntries / n,
			maxBytes:   maxBytes / int64(n),
		}
		sh.items.OnEvicted(func(_ string, v any) {
			e := v.(*entry)
			sh.unlink(e)
			s.forget(e)
		})
		s.shards[i] = sh
	}
	return s
}

// shard is that of the keys that begin so.
func (s *store) shard(first byte) *shard { return s.shards[int(first)%len(s.shards)] }

// get returns an entry that is neither over its last lifetime nor at or past its exp: INT-13, INT-16.
func (s *store) get(key secret.Fingerprint, now time.Time) *entry {
	v, ok := s.shard(key[0]).items.Get(string(key[:]))
	if !ok {
		return nil
	}
	e := v.(*entry)
	if e.over(now) {
		return nil
	}
	if !e.visited.Load() { // a line in many readers' caches stays shared
		e.visited.Store(true)
	}
	return e
}

// usable reports whether an entry may be used without asking first. What was asked for before since does not count.
func (e *entry) usable(since, now time.Time) bool {
	return e != nil && e.age(now) < e.life.hard && !e.fetched.Before(since)
}

// stale reports whether an entry had better be refreshed.
func (e *entry) stale(now time.Time) bool { return e.age(now) >= e.life.soft }

// age is how long ago its question was sent, by the steady clock.
func (e *entry) age(now time.Time) time.Duration { return now.Sub(e.fetched) }

// due reports whether a refresh should start now, and says so once in a while only: a server that fails is not asked
// by every request.
func (e *entry) due(now time.Time) bool {
	age, next := e.age(now), e.next.Load()
	return int64(age) >= next && e.next.CompareAndSwap(next, int64(age+refreshPause))
}

// refreshPause is the least time between two attempts to refresh one entry.
const refreshPause = time.Second

// over looks at the clock on the wall for exp and at the steady one for the lifetime: setting the first back must not
// prolong the second.
func (e *entry) over(now time.Time) bool {
	return e.age(now) >= e.life.last || e.expires != 0 && authz.At(now) >= e.expires
}

// put keeps an entry for life, counted from when its claims were asked for, and never past exp; marks is what it can
// be found by. An entry that is too large, or older than that under its key, is dropped.
func (s *store) put(e *entry, life lifetime, marks []mark, now time.Time) {
	e.life, e.cost = life, e.costOf(len(marks))
	left := life.last - e.age(now)
	if e.expires != 0 {
		left = min(left, time.Unix(int64(e.expires), 0).Sub(now))
	}
	sh := s.shard(e.key[0])
	if left <= 0 || e.cost > sh.maxBytes {
		s.drop(e.key, e.fetched) // what was known before is outdated all the same
		return
	}
	if n := sh.put(e, left, marks, now); n > 0 {
		s.counts.evicted.Add(evictedCapacity, n)
	}
}

func (sh *shard) put(e *entry, left time.Duration, marks []mark, now time.Time) (evicted int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if v, ok := sh.items.Get(e.key); ok && v.(*entry).fetched.After(e.fetched) {
		return 0
	}
	sh.items.Delete(e.key)
	for sh.entries+1 > sh.maxEntries || sh.bytes+e.cost > sh.maxBytes {
		victim := sh.victim(now)
		sh.hand = victim.newer
		sh.items.Delete(victim.key)
		evicted++
	}
	sh.link(e)
	sh.index.add(e, marks)
	sh.items.Set(e.key, e, left)
	return evicted
}

// victim walks the hand. There is one: after a whole turn every bit is clear.
func (sh *shard) victim(now time.Time) *entry {
	e := sh.hand
	for {
		if e == nil {
			e = sh.oldest
		}
		if !e.visited.Load() || e.over(now) {
			return e
		}
		e.visited.Store(false)
		e = e.newer
	}
}

func (sh *shard) link(e *entry) {
	e.older = sh.newest
	if sh.newest != nil {
		sh.newest.newer = e
	}
	sh.newest = e
	if sh.oldest == nil {
		sh.oldest = e
	}
	sh.entries++
	sh.bytes += e.cost
}

// unlink is called by the store for every entry that leaves it, always under mu, because only writers delete.
func (sh *shard) unlink(e *entry) {
	if sh.hand == e {
		sh.hand = e.newer
	}
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		sh.newest = e.older
	}
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		sh.oldest = e.newer
	}
	e.newer, e.older = nil, nil
	sh.index.remove(e)
	sh.entries--
	sh.bytes -= e.cost
}

// drop forgets what is kept under a key and was asked for no later than fetched.
func (s *store) drop(key string, fetched time.Time) {
	sh := s.shard(key[0])
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if v, ok := sh.items.Get(key); ok && v.(*entry).fetched.After(fetched) {
		return
	}
	sh.items.Delete(key)
}

// evict forgets every entry that has all of marks, of which there is at least one, and returns the first mark of each.
func (s *store) evict(marks []mark) (firsts []mark) {
	for _, sh := range s.shards {
		sh.mu.Lock()
		for _, e := range sh.index.all(marks) {
			firsts = append(firsts, e.nodes[0].mark)
			sh.items.Delete(e.key)
		}
		sh.mu.Unlock()
	}
	return firsts
}

// clear forgets everything and returns how much that was.
func (s *store) clear() (n int) {
	for _, sh := range s.shards {
		sh.mu.Lock()
		n += sh.entries
		for sh.oldest != nil {
			sh.items.Delete(sh.oldest.key)
		}
		sh.mu.Unlock()
	}
	return n
}

// sweep removes what has expired, a shard at a time.
func (s *store) sweep() {
	for _, sh := range s.shards {
		sh.mu.Lock()
		sh.items.DeleteExpired()
		sh.mu.Unlock()
	}
}

func (s *store) stats() StoreStats {
	var c StoreStats
	for _, sh := range s.shards {
		sh.mu.Lock()
		c.Entries += sh.entries
		c.Bytes += sh.bytes
		sh.mu.Unlock()
	}
	return c
}

// StoreStats is the size of a store.
type StoreStats struct {
	Entries int
	// Bytes is an estimate of the memory held.
	Bytes int64
}

// capacity is how many entries fit that are like those in now, and which bound sets that number, by its key in the
// configuration. An empty store may hold maxEntries.
func (s *store) capacity(now StoreStats) (entries int, bound string) {
	if now.Entries == 0 || float64(now.Entries)/float64(s.maxEntries) >= float64(now.Bytes)/float64(s.maxBytes) {
		return s.maxEntries, "max_entries"
	}
	return int(float64(s.maxBytes) / float64(now.Bytes) * float64(now.Entries)), "max_bytes"
}
