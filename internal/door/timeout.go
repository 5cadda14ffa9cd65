package door

import (
	"context"
	"sync"
	"time"
)

// Timed is the context of a call that has a deadline. Its timer starts when Done is asked for: most decisions are made
// from memory, and ask for Err once. It is safe for concurrent use.
type Timed struct {
	parent context.Context
	at     time.Time

	mu    sync.Mutex
	ended bool
	// waited has the timer; nil before the first Done. stop ends it.
	waited context.Context
	stop   context.CancelFunc
}

// WithTimeout returns a context like that of context.WithTimeout. Its caller calls End.
func WithTimeout(parent context.Context, limit time.Duration) *Timed {
	at := time.Now().Add(limit)
	if sooner, ok := parent.Deadline(); ok && sooner.Before(at) {
		at = sooner
	}
	return &Timed{parent: parent, at: at}
}

// End cancels the context, as a context.CancelFunc does.
func (t *Timed) End() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	if t.stop != nil {
		t.stop()
	}
}

// Deadline implements context.Context.
func (t *Timed) Deadline() (time.Time, bool) { return t.at, true }

// Done implements context.Context.
func (t *Timed) Done() <-chan struct{} { return t.inner(true).Done() }

// Err implements context.Context.
func (t *Timed) Err() error {
	if in := t.inner(false); in != nil {
		return in.Err()
	}
	if err := t.parent.Err(); err == nil && time.Now().Before(t.at) {
		return nil
	}
	return t.inner(true).Err() // so that Done is closed too
}

// Value implements context.Context. The context package finds the one that is waited for by it, so that contexts below
// this one need no goroutine.
func (t *Timed) Value(key any) any {
	if in := t.inner(false); in != nil {
		return in.Value(key)
	}
	return t.parent.Value(key)
}

// inner is what is waited for: nil when it is not there, and need not be.
func (t *Timed) inner(needed bool) context.Context {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waited == nil && (needed || t.ended) {
		t.waited, t.stop = context.WithDeadline(t.parent, t.at)
		if t.ended {
			t.stop()
		}
	}
	return t.waited
}
