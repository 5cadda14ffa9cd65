package fetch

import (
	"sync"
	"time"
)

// Repeats keeps failures that repeat themselves out of a log: while a server is down there are two attempts a second.
// The zero Repeats is ready for use, and safe for concurrent use.
type Repeats struct {
	mu    sync.Mutex // guards what follows
	cause string
	told  time.Time
}

// repeatAfter is the time after which a failure that lasts is told again.
const repeatAfter = time.Minute

// IsNews reports whether the outcome of an attempt, nil for a success, is to be logged: a success always, and a
// failure when the last outcome was another one or is long ago.
func (r *Repeats) IsNews(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.cause = ""
		return true
	}
	now := time.Now()
	if err.Error() == r.cause && now.Sub(r.told) < repeatAfter {
		return false
	}
	r.cause, r.told = err.Error(), now
	return true
}
