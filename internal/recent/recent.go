// Package recent keeps what was used lately, in bounded memory: the newest entries, without a list or a timer.
package recent

import "time"

// Map keeps entries in two generations. When the newer generation is full, or older than the lifetime, the older one
// is dropped and a new one begins. Without a lifetime, an entry that is looked up moves into the newer generation, so
// that the entries in use stay. With one, an entry is kept for at least the lifetime, room permitting, and three times
// that at most.
//
// It is not safe for concurrent use.
type Map[K comparable, V any] struct {
	newer, older map[K]V
	began        time.Time
	size         int           // of a generation
	lifetime     time.Duration // of a generation; 0 sets no limit
}

// New returns a Map that keeps between size/2 and size of the entries used last. A lifetime of 0 sets no limit.
func New[K comparable, V any](size int, lifetime time.Duration) *Map[K, V] {
	return &Map[K, V]{newer: map[K]V{}, size: max(1, size/2), lifetime: lifetime}
}

// Get returns the entry of k.
func (m *Map[K, V]) Get(k K, now time.Time) (V, bool) {
	m.expire(now)
	v, ok := m.newer[k]
	if ok {
		return v, true
	}
	if v, ok = m.older[k]; ok && m.lifetime == 0 {
		m.Put(k, v, now)
	}
	return v, ok
}

// Put adds or replaces the entry of k.
func (m *Map[K, V]) Put(k K, v V, now time.Time) {
	m.expire(now)
	if len(m.newer) >= m.size {
		m.begin(now)
	}
	m.newer[k] = v
}

// expire drops generations that are older than the lifetime.
func (m *Map[K, V]) expire(now time.Time) {
	age := now.Sub(m.began)
	if m.lifetime == 0 || age < m.lifetime {
		return
	}
	if age >= 2*m.lifetime {
		m.newer = nil
	}
	m.begin(now)
}

// begin starts a new generation and drops the older one.
func (m *Map[K, V]) begin(now time.Time) { m.older, m.newer, m.began = m.newer, map[K]V{}, now }
