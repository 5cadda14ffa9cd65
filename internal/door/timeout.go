package door

import (
	"context"
	"time"

	"github.com/authz-sidecar/sidecar/internal/latectx"
)

// Timed is the context of a call that has a deadline. Its timer starts when Done is asked for. It is safe for
// concurrent use.
type Timed struct {
	latectx.Context
	at time.Time
}

// WithTimeout returns a context like that of context.WithTimeout. Its caller calls End.
func WithTimeout(parent context.Context, limit time.Duration) *Timed {
	t := &Timed{at: time.Now().Add(limit)}
	if sooner, ok := parent.Deadline(); ok && sooner.Before(t.at) {
		t.at = sooner
	}
	t.Parent, t.Beginner = parent, t
	return t
}

// Begin implements latectx.Beginner.
func (t *Timed) Begin(parent context.Context) (context.Context, context.CancelFunc) {
	return context.WithDeadline(parent, t.at)
}

// Deadline implements context.Context.
func (t *Timed) Deadline() (time.Time, bool) { return t.at, true }

// Err implements context.Context.
func (t *Timed) Err() error {
	if t.Waited(false) == nil && t.Parent.Err() == nil && time.Now().Before(t.at) {
		return nil
	}
	return t.Waited(true).Err() // so that Done is closed too
}
