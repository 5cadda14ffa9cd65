package app

import (
	"context"
	"net/http"
	"sync"
)

// calls counts the calls under way. A server that is closed cuts their connections but does not wait for them, and each
// still has its decision to log.
type calls struct {
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// counted is h with its calls counted. After wait there are no more.
func (c *calls) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			http.Error(w, "the sidecar is stopping", http.StatusServiceUnavailable)
			return
		}
		c.running.Add(1)
		c.mu.Unlock()
		defer c.running.Done()
		h.ServeHTTP(w, r)
	})
}

// wait refuses new calls and returns when those under way have ended, or when ctx ends.
func (c *calls) wait(ctx context.Context) {
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
