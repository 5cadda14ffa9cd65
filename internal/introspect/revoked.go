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
	// floors stand for those that were too many to remember, and for those of every token. Their index is who revoked.
	floors [byEvent + 1]floor
}

// floor revokes tokens that were issued at or before a time, until the end.
type floor struct {
	before authz.Time // 0 is none
	end    time.Time
}

type revocation struct {
	marks   []mark
	before  authz.Time // tokens issued later are not meant
	by      revoker
	session mark // that ended; 0 where it is not the end of one session
	arrived time.Time
}

// revoker is who said that a token is over.
type revoker uint8

const (
	notRevoked  revoker = iota
	byNeighbour         // of another session of the same user, and perhaps of this one
	byOperator
	byEvent // that the issuer signed
)

func revokerOf(v authz.Revocation) revoker {
	if v.Event {
		return byEvent
	}
	return byOperator
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

// add remembers that the tokens that have all marks of v, and were issued at or before a time, are revoked. No marks mean
// every token.
func (r *revoked) add(v revocation) {
	if r.memory <= 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(v.marks) == 0 {
		r.raise(v.before, v.by, v.arrived)
		return
	}
	for _, el := range r.byMark[v.marks[0]] {
		if known := el.Value.(*revocation); known.by == v.by && known.session == v.session && slices.Equal(known.marks, v.marks) {
			known.before, known.arrived = max(known.before, v.before), v.arrived
			r.arrived.MoveToBack(el)
			return
		}
	}
	for r.arrived.Len() >= r.most {
		gone := r.forget(r.arrived.Front())
		// A token that was revoked by its own name has no time of its own: it was issued before that was reported.
		r.raise(min(gone.before, authz.At(gone.arrived.Add(maxAhead))), gone.by, v.arrived)
	}
	r.byMark[v.marks[0]] = append(r.byMark[v.marks[0]], r.arrived.PushBack(&v))
}

func (r *revoked) raise(before authz.Time, by revoker, now time.Time) {
	f := &r.floors[by]
	f.before, f.end = max(f.before, before), now.Add(r.memory)
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

// by is who revoked a token that has marks, the strongest of them. sessions are those of its marks that name its session. One
// that does not say when it was issued is as old as can be.
func (r *revoked) by(marks, sessions []mark, issued authz.Time, now time.Time) revoker {
	r.mu.RLock()
	defer r.mu.RUnlock()
	found := notRevoked
	for by, f := range r.floors {
		if f.before != 0 && issued <= f.before && now.Before(f.end) {
			found = revoker(by) // the last is the strongest
		}
	}
	for _, m := range marks {
		for _, el := range r.byMark[m] {
			v := el.Value.(*revocation)
			if issued <= v.before && now.Sub(v.arrived) < r.memory && within(v.marks, marks) {
				found = max(found, v.of(sessions))
			}
		}
	}
	return found
}

// of is who revoked a token of sessions by v.
func (v *revocation) of(sessions []mark) revoker {
	if v.session != 0 && len(sessions) > 0 && !slices.Contains(sessions, v.session) {
		return byNeighbour
	}
	return v.by
}

// sweep forgets what is over.
func (r *revoked) sweep(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for el := r.arrived.Front(); el != nil && now.Sub(el.Value.(*revocation).arrived) >= r.memory; el = r.arrived.Front() {
		r.forget(el)
	}
	for by := range r.floors {
		if f := &r.floors[by]; !now.Before(f.end) {
			f.before = 0
		}
	}
}

func (r *revoked) count() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n := r.arrived.Len()
	for _, f := range r.floors {
		if f.before != 0 {
			n++
		}
	}
	return n
}

// before is the time up to which the tokens that v means were issued. A token that is named itself is meant whenever it
// was issued. Where v has no time of the issuer's clock, that clock may be ahead of ours by as much as it may be for a token
// to be used: a token issued a moment before v says that it was issued a moment after. So one that is issued within that time
// after v is over, too; later ones are not. A report from the future is not believed for longer than clocks may differ: milliseconds that are taken
// for seconds would revoke everything that is ever issued.
func before(v authz.Revocation, ahead time.Duration, now time.Time) authz.Time {
	switch {
	case !v.Token.Empty() || v.TokenID != "":
		return always
	case v.At.IsZero():
		return authz.At(now.Add(ahead))
	case v.At.After(now.Add(maxAhead)):
		return authz.At(now.Add(maxAhead))
	}
	return authz.At(v.At)
}
