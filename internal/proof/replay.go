package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// replays is the replay cache: the proofs that were used, for as long as they are valid (RFC 9449 section 11.1).
// Entries are digests, so that the length of a jti does not matter, and include the key of the client and the URI, so
// that a client cannot use up the proofs of another.
//
// A full cache refuses further proofs as unavailable. If it dropped a proof that is still valid instead, a client that
// makes many proofs could replay one that it had overheard. To fill the cache takes a usable token and a signature for
// each entry.
//
// Entries lie in buckets by the time at which they expire. A bucket is dropped as a whole, so no request pays for a
// sweep.
type replays struct {
	capacity int
	width    int64 // of a bucket, in seconds

	mu       sync.Mutex
	size     int
	buckets  map[int64]map[digest]struct{} // by the time of expiry, in widths
	underWay map[digest]*Use               // those of buckets whose requests are being decided
}

type digest [16]byte

const (
	bucketsAtOnce = 4
	// keepLonger covers a request that reads its clock and then waits for the lock, and a clock that is set back a
	// little.
	keepLonger = 5 * time.Second
)

// newReplays returns a cache of at most capacity proofs, each of which is valid for at most lifetime.
func newReplays(capacity int, lifetime time.Duration) *replays {
	width := int64((lifetime + keepLonger) / time.Second / bucketsAtOnce)
	return &replays{capacity: capacity, width: max(width, 1), buckets: map[int64]map[digest]struct{}{},
		underWay: map[digest]*Use{}}
}

// useResult is what the cache says about the use of a proof.
type useResult uint8

const (
	firstUse useResult = iota
	inUse              // by a request that is being decided
	usedBefore
	cacheFull
)

// use records the use of a proof that is valid until expires. Of concurrent uses of one proof, exactly one is the
// first. It returns that one with firstUse, and with inUse.
func (r *replays) use(d digest, expires, now time.Time) (useResult, *Use) {
	bucket := expires.Add(keepLonger).Unix()/r.width + 1
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.known(d, now); known != firstUse {
		return known, r.underWay[d]
	}
	kept := r.buckets[bucket]
	if kept == nil {
		kept = map[digest]struct{}{}
		r.buckets[bucket] = kept
	}
	kept[d] = struct{}{}
	r.size++
	u := &Use{replays: r, proof: d, bucket: bucket, over: make(chan struct{})}
	r.underWay[d] = u
	return firstUse, u
}

// look is what use would say, and records nothing.
func (r *replays) look(d digest, _, now time.Time) (useResult, *Use) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known(d, now), r.underWay[d]
}

// known says whether a proof is in use, was used, or is one too many. It drops what has expired. r.mu is held.
func (r *replays) known(d digest, now time.Time) useResult {
	if r.underWay[d] != nil {
		return inUse
	}
	for at, kept := range r.buckets {
		if at <= now.Unix()/r.width {
			r.size -= len(kept)
			delete(r.buckets, at)
			continue
		}
		if _, ok := kept[d]; ok {
			return usedBefore
		}
	}
	if r.size >= r.capacity {
		return cacheFull
	}
	return firstUse
}

// retryAfter is about the time after which a full cache has room again.
func (r *replays) retryAfter() time.Duration { return time.Duration(r.width) * time.Second }

// digestOf identifies a proof. Each part is hashed with its length, so that no two lists of parts are one text.
func digestOf(parts ...string) (d digest) {
	var b []byte
	for _, p := range parts {
		b = append(binary.AppendUvarint(b, uint64(len(p))), p...)
	}
	sum := sha256.Sum256(b)
	copy(d[:], sum[:])
	return d
}
