// Package latectx makes contexts that begin when they are waited for. Most decisions are made from memory, and wait
// for nothing: a timer or a goroutine for each of them would cost as much as the decision.
package latectx

import (
	"context"
	"sync"
	"time"
)

// Beginner makes the context that is waited for, below parent.
type Beginner interface {
	Begin(parent context.Context) (context.Context, context.CancelFunc)
}

// Context is what Beginner makes, from the first Done on. Until then it is Parent. It is safe for concurrent use.
type Context struct {
	Parent context.Context
	// Beginner is asked once, and never after End. It is no func, for which each context would allocate.
	Beginner Beginner

	mu    sync.Mutex
	ended bool
	// waited is nil before the first Done. stop cancels it.
	waited context.Context
	stop   context.CancelFunc
}

// End cancels the context, as a context.CancelFunc does.
func (c *Context) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.stop != nil {
		c.stop()
	}
}

// Deadline implements context.Context.
func (c *Context) Deadline() (time.Time, bool) { return c.Parent.Deadline() }

// Done implements context.Context.
func (c *Context) Done() <-chan struct{} { return c.Waited(true).Done() }

// Err implements context.Context.
func (c *Context) Err() error {
	if w := c.Waited(false); w != nil {
		return w.Err()
	}
	return c.Parent.Err()
}

// Value implements context.Context. The context package finds the one that is waited for by it, so that contexts below
// this one need no goroutine.
func (c *Context) Value(key any) any {
	if w := c.Waited(false); w != nil {
		return w.Value(key)
	}
	return c.Parent.Value(key)
}

// Waited is what is waited for: nil when it is not there, and need not be.
func (c *Context) Waited(needed bool) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.waited != nil:
	case c.ended:
		c.waited, c.stop = context.WithCancel(c.Parent)
		c.stop()
	case needed:
		c.waited, c.stop = c.Beginner.Begin(c.Parent)
	}
	return c.waited
}
