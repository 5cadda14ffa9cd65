// Package memo keeps answers by keys, in bounded memory.
//
// A key is compared in full on each hit; its hash only finds the place. An answer is kept when its key is seen for the
// second time, so that questions that are asked once cost no memory. Old answers make room for new ones; one that was
// used since the last round stays for another (a clock, or second chance).
package memo

import (
	"hash/maphash"
	"sync"
	"time"
	"unsafe"
)

// Config bounds a Memo. The zero Config keeps nothing.
type Config struct {
	MaxEntries int      `yaml:"max_entries" default:"10000" min:"0" max:"10000000" doc:"Verdicts that are remembered. 0 remembers none."`
	MaxBytes   int      `yaml:"max_bytes" default:"16777216" min:"65536" max:"17179869184" doc:"Memory of the remembered verdicts and their keys, in bytes."`
	Except     []string `yaml:"except" doc:"Entrypoints whose verdicts are not remembered, such as authz/decision."`
}

// On reports whether a Memo of c keeps anything.
func (c Config) On() bool { return c.MaxEntries > 0 && c.MaxBytes > 0 }

// shards is a power of two.
const shards = 16

// Memo keeps answers of type V. It is safe for concurrent use.
type Memo[V any] struct {
	seed   maphash.Seed
	shards [shards]shard[V]
	// once is set when an answer is kept at the first sighting of its key.
	once bool
}

// shard is the part of a Memo with the keys whose hashes are equal in some bits.
type shard[V any] struct {
	mu      sync.Mutex
	places  map[uint64]int32 // by hash: positions in entries
	entries []entry[V]
	hand    int
	bytes   int

	maxEntries, maxBytes int
	// seen are hashes of keys that were asked for lately, at a place that follows from the hash.
	seen []uint32
	_    [64]byte // keeps the locks of two shards out of one cache line
}

type entry[V any] struct {
	hash        uint64
	key         string
	value       V
	size        int
	since, till int64 // nanoseconds; till 0 is for ever
	used        bool
}

// maxSeen bounds the keys that a shard remembers to have seen.
const maxSeen = 4096

// New returns an empty Memo.
func New[V any](cfg Config) *Memo[V] {
	m := &Memo[V]{seed: maphash.MakeSeed()}
	for i := range m.shards {
		s := &m.shards[i]
		s.places = map[uint64]int32{}
		s.maxEntries, s.maxBytes = max(1, cfg.MaxEntries/shards), cfg.MaxBytes/shards
		s.seen = make([]uint32, min(maxSeen, nextPower(s.maxEntries)))
	}
	return m
}

// KeepAtOnce makes m keep an answer when its key is seen for the first time.
func (m *Memo[V]) KeepAtOnce() *Memo[V] {
	m.once = true
	return m
}

func nextPower(n int) int {
	p := 1
	for p < n {
		p *= 2
	}
	return p
}

// Seen says what is known of a key.
type Seen uint8

// The zero Seen is a key that was not asked for lately.
const (
	Never Seen = iota
	// Before is a key that was asked for lately, and has no answer that is kept.
	Before
	// Kept is a key whose answer is kept.
	Kept
)

// Get returns the answer that is kept for key. now is compared with the lifetime of the answer.
func (m *Memo[V]) Get(key []byte, now time.Time) (value V, seen Seen) {
	h := maphash.Bytes(m.seed, key)
	s := &m.shards[h%shards]
	at := now.UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.places[h]; ok {
		e := &s.entries[i]
		if e.key == string(key) {
			if e.till == 0 || e.since <= at && at < e.till {
				e.used = true
				return e.value, Kept
			}
			s.remove(int(i))
			return value, Before
		}
	}
	if m.once {
		return value, Before
	}
	place, mark := &s.seen[(h/shards)%uint64(len(s.seen))], uint32(h>>32)|1
	if *place == mark {
		return value, Before
	}
	*place = mark
	return value, Never
}

// Put keeps an answer for key, in place of the last one, until a time; the zero time is for ever. size is the memory
// of the answer in bytes.
func (m *Memo[V]) Put(key []byte, value V, size int, now, until time.Time) {
	e := entry[V]{hash: maphash.Bytes(m.seed, key), value: value,
		size: size + len(key) + int(unsafe.Sizeof(entry[V]{})) + placeBytes, since: now.UnixNano()}
	if !until.IsZero() {
		e.till = until.UnixNano()
	}
	s := &m.shards[e.hash%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.places[e.hash]; ok {
		s.remove(int(i)) // the same key, or one of the same hash
	}
	// A few large answers must not push out all others.
	if !until.IsZero() && e.till <= e.since || e.size > s.maxBytes/4 {
		return
	}
	e.key = string(key)
	for len(s.entries) >= s.maxEntries || s.bytes+e.size > s.maxBytes {
		s.evict()
	}
	s.places[e.hash] = int32(len(s.entries))
	s.entries = append(s.entries, e)
	s.bytes += e.size
}

// placeBytes is about what the index of a shard needs for an entry.
const placeBytes = 32

// Drop forgets the answer for key.
func (m *Memo[V]) Drop(key []byte) {
	h := maphash.Bytes(m.seed, key)
	s := &m.shards[h%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.places[h]; ok && s.entries[i].key == string(key) {
		s.remove(int(i))
	}
}

// evict drops the first answer from the hand on that was not used since the hand was there.
func (s *shard[V]) evict() {
	for {
		if s.hand >= len(s.entries) {
			s.hand = 0
		}
		e := &s.entries[s.hand]
		if !e.used {
			s.remove(s.hand)
			return
		}
		e.used = false
		s.hand++
	}
}

// remove drops an entry. The last one takes its place.
func (s *shard[V]) remove(i int) {
	last := len(s.entries) - 1
	delete(s.places, s.entries[i].hash)
	s.bytes -= s.entries[i].size
	if i != last {
		s.entries[i] = s.entries[last]
		s.places[s.entries[i].hash] = int32(i)
	}
	s.entries[last] = entry[V]{}
	s.entries = s.entries[:last]
}

// Use is how much a Memo holds.
type Use struct{ Entries, Bytes int }

// Use counts what m holds.
func (m *Memo[V]) Use() (u Use) {
	if m == nil {
		return u
	}
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		u.Entries += len(s.entries)
		u.Bytes += s.bytes
		s.mu.Unlock()
	}
	return u
}
