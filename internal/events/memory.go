package events

import "sync"

// maxSeen bounds the events that are remembered. Those forgotten first would do no harm if they came again: they would
// evict once more.
const maxSeen = 10_000

// memory knows which events came lately, by their identifiers. What a token is worth does not depend on it.
type memory struct {
	mu    sync.Mutex
	known map[string]bool
	ring  []string
	next  int
}

func newMemory(size int) *memory {
	return &memory{known: map[string]bool{}, ring: make([]string, size)}
}

func (m *memory) has(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known[id]
}

// add remembers id, and forgets the oldest when there are too many.
func (m *memory) add(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known[id] {
		return
	}
	delete(m.known, m.ring[m.next])
	m.ring[m.next], m.known[id] = id, true
	m.next = (m.next + 1) % len(m.ring)
}
