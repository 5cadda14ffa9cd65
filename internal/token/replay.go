package token

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// replays remembers proofs for as long as they could pass again (RFC 9449 section 11.1). It keeps digests, so that the
// length of a jti does not matter, under the key of the client and the URI, so that nobody burns the proofs of another one.
//
// Bounded, and full: a further proof is refused as unavailable. The alternative, to forget one that is still good, lets
// whoever can make many proofs replay one that he saw: the bound would turn the check off exactly when somebody wants it
// off. To fill it takes a usable token and a signature for each entry. What can no longer pass is not kept to be found
// when room is needed: entries lie in slots by the time of their end, and a slot is dropped whole, so no request pays for
// a sweep.
type replays struct {
	most  int
	width int64 // of a slot, in seconds

	mu    sync.Mutex
	kept  int
	slots map[int64]map[digest]struct{} // by the time of the end, in widths
}

type digest [16]byte

const (
	slotsAtOnce = 4
	// keepLonger makes up for a request that read its clock, waited for its turn, and finds that time has gone on; and for
	// a clock that is put back a little.
	keepLonger = 5 * time.Second
)

// newReplays returns a store of at most so many proofs, each of which can pass for at most longest.
func newReplays(most int, longest time.Duration) *replays {
	width := int64((longest + keepLonger) / time.Second / slotsAtOnce)
	return &replays{most: most, width: max(width, 1), slots: map[int64]map[digest]struct{}{}}
}

type memory uint8

const (
	unseen memory = iota
	seen
	full
)

// remember keeps a proof that can pass until end. It says whether it was there; of any number at once, one is unseen.
func (r *replays) remember(d digest, end, now time.Time) memory {
	slot := end.Add(keepLonger).Unix()/r.width + 1
	r.mu.Lock()
	defer r.mu.Unlock()
	for at, held := range r.slots {
		if at <= now.Unix()/r.width {
			r.kept -= len(held)
			delete(r.slots, at)
			continue
		}
		if _, ok := held[d]; ok {
			return seen
		}
	}
	if r.kept >= r.most {
		return full
	}
	held := r.slots[slot]
	if held == nil {
		held = map[digest]struct{}{}
		r.slots[slot] = held
	}
	held[d] = struct{}{}
	r.kept++
	return unseen
}

// wait is about how long it takes until there is room again.
func (r *replays) wait() time.Duration { return time.Duration(r.width) * time.Second }

// digestOf names a proof. Each part is hashed with its length, so that no two lists of parts are one text.
func digestOf(parts ...string) (d digest) {
	var b []byte
	for _, p := range parts {
		b = append(binary.AppendUvarint(b, uint64(len(p))), p...)
	}
	sum := sha256.Sum256(b)
	copy(d[:], sum[:])
	return d
}
