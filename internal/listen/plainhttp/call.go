package plainhttp

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/authz-sidecar/sidecar/internal/latectx"
)

// call is the context of a call. From its first Done on, it ends when the connection does.
func (c *conn) call() *latectx.Context {
	return &latectx.Context{Parent: c.ctx, Beginner: c}
}

// Begin implements latectx.Beginner: it reads on while the call is under way, and cancels it at the end of the
// connection.
func (c *conn) Begin(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(parent)
	room := c.read[len(c.read):cap(c.read)]
	if len(room) == 0 {
		return ctx, stop // the next call has come
	}
	_ = c.SetReadDeadline(time.Time{})
	c.readBy = time.Time{}
	watched := make(chan read, 1)
	c.watched = watched
	go func() {
		n, err := c.Read(room)
		if n == 0 && !errors.Is(err, os.ErrDeadlineExceeded) {
			stop()
		}
		watched <- read{n, err}
	}()
	return ctx, stop
}

// read is what a read returned.
type read struct {
	n   int
	err error
}

// unwatch ends the read of Begin, and returns why the connection ended, if it did. What came meanwhile is of the next
// call.
func (c *conn) unwatch() error {
	if c.watched == nil {
		return nil
	}
	_ = c.SetReadDeadline(time.Unix(1, 0))
	got := <-c.watched
	c.watched = nil
	_ = c.SetReadDeadline(time.Time{})
	c.read = c.read[:len(c.read)+got.n]
	if got.n > 0 || errors.Is(got.err, os.ErrDeadlineExceeded) {
		return nil
	}
	return got.err
}
