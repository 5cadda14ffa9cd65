package listen

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
)

// Calls counts the calls under way, of all doors. A server that is closed cuts their connections and does not wait for
// their handlers, and each still has its decision to log. The zero Calls is ready for use. It is safe for concurrent
// use.
type Calls struct {
	// running is the number of calls, less noMore once there may be no more of them.
	running atomic.Int64

	mu sync.Mutex
	// waiting is closed when the last call has ended after Wait; nil before Wait.
	waiting chan struct{}
}

// noMore is far more than the calls that can be under way.
const noMore = 1 << 62

// Begin counts a call, whose caller calls End after it. It is false after Wait: then the call must be refused, and has
// no End.
func (c *Calls) Begin() bool {
	if c.running.Add(1) > 0 {
		return true
	}
	c.End()
	return false
}

// End ends a call that was begun.
func (c *Calls) End() {
	if c.running.Add(-1) == -noMore {
		c.ended()
	}
}

// ended tells those who wait that no call is under way.
func (c *Calls) ended() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.waiting:
	default:
		close(c.waiting)
	}
}

// Wait refuses new calls and returns when those under way have ended, or when ctx ends.
func (c *Calls) Wait(ctx context.Context) {
	select {
	case <-c.close():
	case <-ctx.Done():
	}
}

// close refuses new calls, and returns what is closed when those under way have ended.
func (c *Calls) close() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == nil {
		c.waiting = make(chan struct{})
		if c.running.Add(-noMore) == -noMore {
			close(c.waiting)
		}
	}
	return c.waiting
}

// counted is h with its calls counted.
func (c *Calls) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.Begin() {
			http.Error(w, "the sidecar is stopping", http.StatusServiceUnavailable)
			return
		}
		defer c.End()
		h.ServeHTTP(w, r)
	})
}
