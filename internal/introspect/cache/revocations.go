package cache

import (
	"container/list"
	"slices"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Revocations is the log of what was revoked, in order, bounded in time and in number. It answers three questions:
//
//   - revokedSince: was a token revoked after a question about it was sent? Then the answer may be older, and does not
//     count (EV-1).
//   - by: is a JWT that was issued at some time revoked, and by which Revoker? Its signature stays good, and its
//     server may know of no end.
//   - latest: when was a token revoked, if that was lately? Its server may still be about to put that into force.
//
// Clocks are too coarse to order questions and revocations, so both are numbered.
type Revocations struct {
	marker marker
	memory time.Duration // for which a revocation ends JWTs
	limit  int           // of the log

	mu       sync.RWMutex
	number   uint64                   // of the latest question or revocation
	inFlight list.List                // numbers of the questions in flight, in order
	log      list.List                // of *revocation, the oldest first
	byMark   map[mark][]*list.Element // of log, under the first of their marks
	// every is the latest revocation of every token, and stands for those in the log that were too many to remember,
	// as far as the first and the last question go; floors do for the other, by Revoker.
	every struct {
		number uint64
		at     time.Time
	}
	floors [introspect.ByEvent + 1]floor
}

// floor revokes tokens that were issued at or before a time, until the end.
type floor struct {
	before authz.Time // 0 is none
	end    time.Time
}

// maxRevocations bounds the log: some 16 MB.
const maxRevocations = 1 << 16

// NewRevocations returns the log of one issuer, of which name is the configured name. It ends JWTs for the time of
// memory.
func NewRevocations(name string, memory time.Duration, f *secret.Fingerprinter) *Revocations {
	return &Revocations{marker: newMarker(name, f), memory: memory, limit: maxRevocations,
		byMark: map[mark][]*list.Element{}}
}

// Of is the Revoker of a token, by what each of sources says that it names, unless it was issued after that. The first
// source says when it was issued.
func (r *Revocations) Of(tok secret.Text, sources ...*authz.Claims) introspect.Revoker {
	if !r.ends() {
		return introspect.NotRevoked
	}
	var sessions []mark
	for _, s := range sources {
		if s.SessionID != "" {
			sessions = append(sessions, r.marker.session(s.SessionID))
		}
	}
	return r.by(r.marker.of(tok, sources...), sessions, sources[0].IssuedAt, time.Now())
}

// query is one question in flight.
type query struct{ at *list.Element }

func (d query) number() uint64 { return d.at.Value.(uint64) }

// begin is called before a question is sent, and end after its answer was kept or discarded.
func (r *Revocations) begin() query {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.number++
	return query{r.inFlight.PushBack(r.number)}
}

func (r *Revocations) end(d query) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inFlight.Remove(d.at)
}

// add puts v, which has no number yet, at the end of the log.
func (r *Revocations) add(v revocation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.number++
	v.number = r.number
	if len(v.marks) == 0 {
		r.cover(v)
		r.raise(v.before, v.by, v.arrived)
		return
	}
	r.expire(v.arrived)
	for _, el := range r.byMark[v.marks[0]] {
		if known := el.Value.(*revocation); known.by == v.by && known.session == v.session &&
			slices.Equal(known.marks, v.marks) {
			known.before, known.arrived, known.number = max(known.before, v.before), v.arrived, v.number
			r.log.MoveToBack(el)
			return
		}
	}
	for r.log.Len() >= r.limit {
		gone := r.forget(r.log.Front())
		// A token that was revoked by its own name has no time of its own: it was issued before that was reported.
		r.raise(min(gone.before, authz.At(gone.arrived.Add(maxAhead))), gone.by, v.arrived)
	}
	r.byMark[v.marks[0]] = append(r.byMark[v.marks[0]], r.log.PushBack(&v))
}

// forget takes a revocation out of the log. Questions that were sent before it are put again from now on, whatever
// they are about.
func (r *Revocations) forget(el *list.Element) *revocation {
	r.log.Remove(el)
	gone := el.Value.(*revocation)
	r.cover(*gone)
	left := slices.DeleteFunc(r.byMark[gone.marks[0]], func(other *list.Element) bool { return other == el })
	if len(left) == 0 {
		delete(r.byMark, gone.marks[0])
	} else {
		r.byMark[gone.marks[0]] = left
	}
	return gone
}

// cover lets a revocation count for every token.
func (r *Revocations) cover(v revocation) {
	r.every.number = max(r.every.number, v.number)
	if v.arrived.After(r.every.at) {
		r.every.at = v.arrived
	}
}

func (r *Revocations) raise(before authz.Time, by introspect.Revoker, now time.Time) {
	if r.memory <= 0 {
		return
	}
	f := &r.floors[by]
	f.before, f.end = max(f.before, before), now.Add(r.memory)
}

// expire forgets what is of no more use.
func (r *Revocations) expire(now time.Time) {
	life := max(r.memory, cooldownPeriod)
	for el := r.log.Front(); el != nil && now.Sub(el.Value.(*revocation).arrived) >= life; el = r.log.Front() {
		r.forget(el)
	}
	for by := range r.floors {
		if f := &r.floors[by]; !now.Before(f.end) {
			f.before = 0
		}
	}
}

// sweep gives back the memory of what is over.
func (r *Revocations) sweep(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now)
}

// revokedSince reports whether a token that has marks was revoked after a question about it was sent.
func (r *Revocations) revokedSince(d query, marks []mark) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	sent := d.number()
	since := sent < r.every.number
	r.each(marks, func(v *revocation) { since = since || sent < v.number })
	return since
}

// by is the strongest Revoker of a token that has marks. sessions are those of its marks that name its
// session. One that does not say when it was issued is as old as can be.
func (r *Revocations) by(marks, sessions []mark, issued authz.Time, now time.Time) introspect.Revoker {
	r.mu.RLock()
	defer r.mu.RUnlock()
	found := introspect.NotRevoked
	for by, f := range r.floors {
		if f.before != 0 && issued <= f.before && now.Before(f.end) {
			found = introspect.Revoker(by) // the last is the strongest
		}
	}
	r.each(marks, func(v *revocation) {
		if issued <= v.before && now.Sub(v.arrived) < r.memory {
			found = max(found, v.of(sessions))
		}
	})
	return found
}

// latest is when a token that has marks was revoked last, if that is not longer than settleFor before it was asked
// about.
func (r *Revocations) latest(marks []mark, asked time.Time) (time.Time, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	at := r.every.at
	r.each(marks, func(v *revocation) {
		if v.arrived.After(at) {
			at = v.arrived
		}
	})
	return at, !at.IsZero() && asked.Sub(at) < cooldownPeriod
}

// each calls f with every revocation in the log that means a token that has marks. r.mu is held.
func (r *Revocations) each(marks []mark, f func(*revocation)) {
	for _, m := range marks {
		for _, el := range r.byMark[m] {
			if v := el.Value.(*revocation); within(v.marks, marks) {
				f(v)
			}
		}
	}
}

// counts is the number of revocations: pending are those that may overtake a question in flight, remembered those
// that end JWTs.
func (r *Revocations) counts() (pending, remembered int) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if oldest := r.inFlight.Front(); oldest != nil {
		sent := oldest.Value.(uint64)
		for el := r.log.Back(); el != nil && el.Value.(*revocation).number > sent; el = el.Prev() {
			pending++
		}
		if r.every.number > sent {
			pending++
		}
	}
	if r.memory > 0 {
		remembered = r.log.Len()
	}
	for _, f := range r.floors {
		if f.before != 0 {
			remembered++
		}
	}
	return pending, remembered
}

// ends reports whether there is a revocation that may end a JWT.
func (r *Revocations) ends() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.memory > 0 && (r.log.Len() > 0 || r.floors != [introspect.ByEvent + 1]floor{})
}
