package plainhttp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// bufferBytes is the longest plain call. A head of this length is within every limit of net/http.
const bufferBytes = 8 << 10

// conn is one connection. Its methods are called by one goroutine, but for wake, and for Begin, which the handler
// calls before it returns.
type conn struct {
	net.Conn
	server *Server
	ctx    context.Context // of the connection
	remote string

	read []byte // what came and is not yet answered; its capacity is bufferBytes
	last head   // of the call before
	// readBy and writeBy are the deadlines that are set.
	readBy, writeBy time.Time
	begun           bool        // a call has begun
	skips           int         // line ends before the next call that skip may still remove
	waits           atomic.Bool // for the first byte of a call
	watched         chan int    // gets the bytes that Begin read; nil when it reads no more
}

func newConn(s *Server, nc net.Conn) *conn {
	ctx := context.WithValue(context.Background(), http.LocalAddrContextKey, nc.LocalAddr())
	c := &conn{Conn: nc, server: s, ctx: s.ConnContext(ctx, nc), read: s.buffer()[:0]}
	if from := nc.RemoteAddr(); from != nil { // it is nil when the caller has gone already, on some systems
		c.remote = from.String()
	}
	return c
}

// buffer is what a connection reads into. free takes it back.
func (s *Server) buffer() *[bufferBytes]byte {
	if b, ok := s.buffers.Get().(*[bufferBytes]byte); ok {
		return b
	}
	return new([bufferBytes]byte)
}

// free gives the buffer to another connection, unless Begin still reads into it: the handler ended its goroutine.
func (c *conn) free() {
	if c.watched != nil {
		return
	}
	b := (*[bufferBytes]byte)(c.read[:bufferBytes])
	clear(b[:]) // it held a token
	c.read = nil
	c.server.buffers.Put(b)
}

// serve answers the calls of the connection, until it ends or is net/http's.
func (c *conn) serve() {
	kept := false
	defer func() {
		switch fault := recover(); fault {
		case nil:
			c.free()
		case http.ErrAbortHandler:
		default:
			c.server.Log.Debug("a call panicked", "cause", fault, "stack", string(debug.Stack()))
		}
		if !kept {
			_ = c.Close()
		}
		c.server.leave(c)
	}()
	for c.await() {
		size, length, err := c.next()
		if errors.Is(err, errOther) {
			kept = c.handOver()
			return
		}
		if size == 0 || !c.answer(size, length, err) {
			return
		}
	}
}

// handOver gives the connection to net/http, which sets deadlines of its own. Who speaks HTTP/2 begins with it, which
// net/http looks for on what it gets: behind a call, it would be a proxy's client that speaks past the proxy.
func (c *conn) handOver() (kept bool) {
	if c.begun && bytes.HasPrefix(c.read, preface) {
		c.writeWithin(time.Now(), c.server.WriteTimeout)
		_, _ = io.WriteString(c, refusal)
		return false
	}
	c.server.mu.Lock() // wake is not under way, nor will it be: nothing waits
	_ = c.SetDeadline(time.Time{})
	c.server.mu.Unlock()
	c.server.Other(&handed{Conn: c.Conn, rest: bytes.Clone(c.read)})
	return true
}

// preface is the first line of HTTP/2 (RFC 9113, section 3.4).
var preface = []byte("PRI * HTTP/2.0\r\n")

// refusal is the answer of net/http to a request that it cannot read.
const refusal = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" +
	"400 Bad Request"

// await waits for the first byte of a call. It is false when none will come.
func (c *conn) await() bool {
	if c.skip(); len(c.read) > 0 {
		return true
	}
	limit, until := c.server.IdleTimeout, stops
	if !c.begun { // net/http has this limit before the first call
		limit, until = c.server.ReadTimeout, stopped
	}
	c.waits.Store(true)
	defer c.waits.Store(false)
	c.readWithin(limit)
	for {
		if c.server.stage.Load() >= until { // after the deadline is set: wake may move it
			return false
		}
		switch err := c.more(); {
		case err == nil:
			if c.skip(); len(c.read) > 0 {
				return true
			}
			continue
		case !errors.Is(err, os.ErrDeadlineExceeded) || !time.Now().Before(c.readBy):
			return false
		}
		c.readBy = time.Time{}
		c.readWithin(limit)
	}
}

// skip removes the line ends that old clients send after the body of a POST, up to four bytes, as net/http does.
func (c *conn) skip() {
	n := 0
	for n < min(c.skips, len(c.read)) && (c.read[n] == '\r' || c.read[n] == '\n') {
		n++
	}
	c.skips -= n
	c.read = append(c.read[:0], c.read[n:]...)
}

// wake has await look whether the server stops.
func (c *conn) wake() {
	if c.waits.Load() {
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
}

// more reads what has come.
func (c *conn) more() error {
	n, err := c.Read(c.read[len(c.read):cap(c.read)])
	c.read = c.read[:len(c.read)+n]
	if n > 0 {
		return nil // a read after it returns the error again
	}
	return err
}

// readWithin has reads end within the limit, or up to an eighth of it sooner: setting a deadline takes as long as
// much of a decision.
func (c *conn) readWithin(limit time.Duration) {
	if by, stale := within(c.readBy, time.Now(), limit); stale {
		_ = c.SetReadDeadline(by)
		c.readBy = by
	}
}

// writeWithin is readWithin for writes that begin now.
func (c *conn) writeWithin(now time.Time, limit time.Duration) {
	if by, stale := within(c.writeBy, now, limit); stale {
		_ = c.SetWriteDeadline(by)
		c.writeBy = by
	}
}

// within is the deadline of a limit from now on, and whether the one that is set is stale.
func within(set, now time.Time, limit time.Duration) (by time.Time, stale bool) {
	by = now.Add(limit)
	early := by.Sub(set)
	return by, early < 0 || early > limit/8
}

// errOther is that of a call that is net/http's.
var errOther = errors.New("not plain")

// next reads the next call: a head of that size and a body of that length follow in read. A size of 0 is a
// connection that ended in the head. An err is what the body ends with instead of its end.
func (c *conn) next() (size, length int, err error) {
	for by := (time.Time{}); ; {
		size, length, err = c.recognize()
		switch {
		case err != nil || size > 0 && len(c.read) >= size+length:
			return size, length, err
		case len(c.read) == cap(c.read) || size+length > cap(c.read):
			return 0, 0, errOther
		case by.IsZero():
			by = time.Now().Add(c.server.ReadTimeout)
		}
		if !by.Equal(c.readBy) {
			_ = c.SetReadDeadline(by)
			c.readBy = by
		}
		if err = c.more(); errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(c.readBy) {
			c.readBy = time.Time{} // wake moved it
			continue
		}
		switch {
		case errors.Is(err, io.EOF) && size == 0:
			return 0, 0, errOther // which net/http answers
		case errors.Is(err, io.EOF):
			return size, length, io.ErrUnexpectedEOF
		case err != nil:
			return size, length, err
		}
	}
}

// recognize finds the head of the call. A size of 0 is a head that has not come whole.
func (c *conn) recognize() (size, length int, err error) {
	if size, length, ok := c.last.begins(c.read); ok {
		return size, length, nil
	}
	end := bytes.Index(c.read, headEnd)
	if end < 0 {
		if opens(c.read) {
			return 0, 0, nil
		}
		return 0, 0, errOther
	}
	end += len(headEnd)
	h := c.server.parse(c.read[:end])
	if h == nil {
		return 0, 0, errOther
	}
	h.request.RemoteAddr = c.remote
	c.last = *h
	return end, int(h.request.ContentLength), nil
}

// answer has the handler answer the call that read begins with, and removes it from read. fault is what ends its
// body too soon, or nil. It is false when the connection is at its end.
func (c *conn) answer(size, length int, fault error) bool {
	c.begun = true
	end := min(size+length, len(c.read))
	e := c.exchange(length, c.read[size:end], fault)
	c.handle(e)
	c.checkShared()
	c.unwatch()
	now := time.Now()
	c.writeWithin(now, c.server.WriteTimeout)
	out, last := e.finish(c.server.clock.date(now), fault != nil || c.server.stage.Load() > serves)
	_, err := c.Write(out.head)
	c.server.sent(out)
	if c.skips = 0; c.last.request.Method == http.MethodPost {
		c.skips = 4
	}
	rest := copy(c.read, c.read[end:])
	clear(c.read[rest:]) // it held a token
	c.read = c.read[:rest]
	return !last && err == nil
}
