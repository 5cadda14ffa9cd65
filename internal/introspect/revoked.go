package introspect

import (
	"container/list"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// revoked remembers revocations for tokens that are validated here: their signature stays good, and no server is asked
// that would know better. It is bounded in time and in number.
type revoked struct {
	memory time.Duration
	most   int

	mu      sync.RWMutex
	byMark  map[mark][]*list.Element // under the first of their marks
	arrived list.List                // of *revocation, the oldest first
	// Tokens issued at or before floor are revoked, until the end. It stands for those that were too many to remember.
	floor authz.Time
	end   time.Time
}

type revocation struct {
	marks   []mark
	before  authz.Time // tokens issued later are not meant
	arrived time.Time
}

const (
	// maxRevoked is the number of revocations remembered: some 16 MB.
	maxRevoked = 1 << 16
	// maxAhead is how far the clock of whoever reports a revocation may be ahead of ours.
	maxAhead = time.Minute
	always   = authz.Time(math.MaxInt64)
)

func newRevoked(memory time.Duration) *revoked {
	return &revoked{memory: memory, most: maxRevoked, byMark: map[mark][]*list.Element{}}
}

// add remembers that the tokens that have all of marks, and were issued at or before a time, are revoked. No marks mean
// every token.
func (r *revoked) add(marks []mark, before authz.Time, now time.Time) {
	if r.memory <= 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(marks) == 0 {
		r.raise(before, now)
		return
	}
	for _, el := range r.byMark[marks[0]] {
		if known := el.Value.(*revocation); slices.Equal(known.marks, marks) {
			known.before, known.arrived = max(known.before, before), now
			r.arrived.MoveToBack(el)
			return
		}
	}
	for r.arrived.Len() >= r.most {
		gone := r.forget(r.arrived.Front())
		// A token that was revoked by its own name has no time of its own: it was issued before that was reported.
		r.raise(min(gone.before, authz.At(gone.arrived.Add(maxAhead))), now)
	}
	r.byMark[marks[0]] = append(r.byMark[marks[0]], r.arrived.PushBack(&revocation{marks, before, now}))
}

func (r *revoked) raise(before authz.Time, now time.Time) {
	r.floor, r.end = max(r.floor, before), now.Add(r.memory)
}

func (r *revoked) forget(el *list.Element) *revocation {
	r.arrived.Remove(el)
	gone := el.Value.(*revocation)
	left := slices.DeleteFunc(r.byMark[gone.marks[0]], func(other *list.Element) bool { return other == el })
	if len(left) == 0 {
		delete(r.byMark, gone.marks[0])
	} else {
		r.byMark[gone.marks[0]] = left
	}
	return gone
}

// has reports whether a token that has marks is revoked. One that does not say when it was issued is as old as can be.
func (r *revoked) has(marks []mark, issued authz.Time, now time.Time) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.floor != 0 && issued <= r.floor && now.Before(r.end) {
		return true
	}
	for _, m := range marks {
		for _, el := range r.byMark[m] {
			v := el.Value.(*revocation)
			if issued <= v.before && now.Sub(v.arrived) < r.memory && within(v.marks, marks) {
				return true
			}
		}
	}
	return false
}

// sweep forgets what is over.
func (r *revoked) sweep(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for el := r.arrived.Front(); el != nil && now.Sub(el.Value.(*revocation).arrived) >= r.memory; el = r.arrived.Front() {
		r.forget(el)
	}
	if !now.Before(r.end) {
		r.floor = 0
	}
}

func (r *revoked) count() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n := r.arrived.Len()
	if r.floor != 0 {
		n++
	}
	return n
}

// before is the time up to which the tokens that v means were issued. A token that is named itself is meant whenever it
// was issued. A report from the future is not believed for longer than clocks may differ: milliseconds that are taken
// for seconds would revoke everything that is ever issued.
func before(v authz.Revocation, now time.Time) authz.Time {
	switch {
	case !v.Token.Empty() || v.TokenID != "":
		return always
	case v.At.IsZero():
		return authz.At(now)
	case v.At.After(now.Add(maxAhead)):
		return authz.At(now.Add(maxAhead))
	}
	return authz.At(v.At)
}
