package plainhttp

import (
	"context"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/authz-sidecar/sidecar/internal/latectx"
)

// exchange is what a call has of its own, in one piece of memory.
type exchange struct {
	response
	context latectx.Context // from its first Done on, it ends when the connection does
	body    body
	request *http.Request
}

// exchange is that of the call that read begins with, of which the body has come, and what it ends with, or nil.
func (c *conn) exchange(length int, rest []byte, fault error) *exchange {
	e := &exchange{body: body{rest: rest, fault: fault}}
	e.fields, e.out = http.Header{}, c.server.room()
	e.context.Parent, e.context.Beginner = c.ctx, c
	e.request = c.last.with(length).WithContext(&e.context)
	if e.request.Body = &e.body; length == 0 {
		e.request.Body = http.NoBody
	}
	return e
}

// handle has the handler answer. However the handler ends, the memory of the connection is no longer read by the call.
func (c *conn) handle(e *exchange) {
	defer e.body.end()
	defer e.context.End()
	c.server.Handler.ServeHTTP(&e.response, e.request)
}

// Begin implements latectx.Beginner: it reads on while the call is under way, and cancels it at the end of the
// connection. A call that never waits does not notice that its caller has gone: it has nothing to break off, and its
// decision counts and is logged as that of a caller who goes while the answer is on its way.
func (c *conn) Begin(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(parent)
	room := c.read[len(c.read):cap(c.read)]
	if len(room) == 0 {
		return ctx, stop // the next call has come
	}
	_ = c.SetReadDeadline(time.Time{})
	c.readBy = time.Time{}
	watched := make(chan int, 1)
	c.watched = watched
	go func() {
		n, err := c.Read(room)
		if n == 0 && !errors.Is(err, os.ErrDeadlineExceeded) {
			stop()
		}
		watched <- n
	}()
	return ctx, stop
}

// unwatch ends the read of Begin. What came meanwhile is of the next call. When the connection has ended, the next
// read says so again: a caller that ended its half still gets the answers to all that it sent.
func (c *conn) unwatch() {
	if c.watched == nil {
		return
	}
	_ = c.SetReadDeadline(time.Unix(1, 0))
	n := <-c.watched
	c.watched = nil
	_ = c.SetReadDeadline(time.Time{})
	c.read = c.read[:len(c.read)+n]
}
