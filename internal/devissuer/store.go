package devissuer

import (
	"container/heap"
	"crypto/sha256"
	"sync"
	"time"
)

// digest stands for a token in memory: the store can tell a token again, and cannot tell what it was.
type digest [sha256.Size]byte

func digestOf(token string) digest { return sha256.Sum256([]byte(token)) }

// entry is one token that was issued. It is immutable but for rank.
type entry struct {
	key      digest
	clientID string
	audience []string
	// answer is the whole introspection answer while the token is active.
	answer []byte
	// notBefore and expires are whole seconds; the token is dead from expires on.
	notBefore, expires time.Time
	// rank is the place in the queue, or -1 when the store has dropped the entry.
	rank int
}

func (e *entry) live(now time.Time) bool { return !now.Before(e.notBefore) && now.Before(e.expires) }

// store keeps live tokens, at most max of them. When it is full the token that would expire first makes room: to
// forget a token is to call it inactive, which is the safe side.
type store struct {
	max int

	mu    sync.Mutex
	byKey map[digest]*entry
	queue queue // the same entries, soonest to expire first
}

func newStore(most int) *store { return &store{max: most, byKey: map[digest]*entry{}} }

// put keeps e, and drops what has expired by now.
func (s *store) put(e *entry, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byKey[e.key] = e
	heap.Push(&s.queue, e)
	for len(s.queue) > 0 && (!now.Before(s.queue[0].expires) || len(s.queue) > s.max) {
		s.drop(s.queue[0])
	}
}

// find returns the live token with key, or nil.
func (s *store) find(key digest, now time.Time) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.byKey[key]
	if e == nil {
		return nil
	}
	if !now.Before(e.expires) {
		s.drop(e)
		return nil
	}
	return e
}

// remove forgets e.
func (s *store) remove(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.rank >= 0 {
		s.drop(e)
	}
}

func (s *store) drop(e *entry) {
	delete(s.byKey, e.key)
	heap.Remove(&s.queue, e.rank)
}

// queue is a heap of entries by expiry.
type queue []*entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].expires.Before(q[j].expires) }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].rank, q[j].rank = i, j
}

func (q *queue) Push(x any) {
	e := x.(*entry)
	e.rank = len(*q)
	*q = append(*q, e)
}

func (q *queue) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	e.rank = -1
	return e
}
