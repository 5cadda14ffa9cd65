package proof

import "context"

// Use is the use of a proof by the one request that it lets pass, from Verify until Keep or Release. A nil Use is that
// of a request whose proof is not remembered, or that has none.
type Use struct {
	replays *replays
	proof   digest
	bucket  int64
	over    chan struct{} // closed when the request is decided
}

// Keep ends the use of a proof by an answer: any further request with it is a replay.
func (u *Use) Keep() {
	if u != nil {
		u.end(func() {})
	}
}

// Release ends the use of a proof whose caller was gone before the answer, so that the proof can be shown once more: a
// gateway asks again then, by the same request. It reports whether there was a proof: then the answer must let nothing
// happen.
func (u *Use) Release() bool {
	if u == nil {
		return false
	}
	u.end(func() {
		kept := u.replays.buckets[u.bucket]
		if _, ok := kept[u.proof]; ok { // else it has expired
			delete(kept, u.proof)
			u.replays.size--
		}
	})
	return true
}

func (u *Use) end(change func()) {
	u.replays.mu.Lock()
	defer u.replays.mu.Unlock()
	change()
	delete(u.replays.underWay, u.proof)
	close(u.over)
}

// InUse is why a proof cannot be judged yet: another request with it is being decided. A gateway that waits no longer
// for an answer sends such a request, before the sidecar knows that the first has lost its caller.
type InUse struct{ by *Use }

// Error names no part of the proof.
func (*InUse) Error() string {
	return "check proof: another request with the same proof is being decided"
}

// Wait waits until the other request is decided, and reports false when ctx ends before. Verify then says whether the
// proof was used up.
func (e *InUse) Wait(ctx context.Context) bool {
	select {
	case <-e.by.over:
		return true
	case <-ctx.Done():
		return false
	}
}
