package listen

import (
	"context"
	"net/http"
	"sync"
)

// Calls counts the calls under way, of all doors. A server that is closed cuts their connections and does not wait for
// their handlers, and each still has its decision to log. The zero Calls is ready for use.
type Calls struct {
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// Begin counts a call until end is called. It is false after Wait: the call must be refused.
func (c *Calls) Begin() (end func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, false
	}
	c.running.Add(1)
	return c.running.Done, true
}

// Wait refuses new calls and returns when those under way have ended, or when ctx ends.
func (c *Calls) Wait(ctx context.Context) {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.running.Wait()
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// counted is h with its calls counted.
func (c *Calls) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		end, ok := c.Begin()
		if !ok {
			http.Error(w, "the sidecar is stopping", http.StatusServiceUnavailable)
			return
		}
		defer end()
		h.ServeHTTP(w, r)
	})
}
