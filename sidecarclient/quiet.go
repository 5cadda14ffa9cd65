package sidecarclient

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptrace"
	"sync"
)

// quietConn is a connection that tells when all that arrived on it was read. net/http looks for unsolicited bytes in a
// goroutine of its own, once a connection is kept: a question that is sent before that would be answered by them.
type quietConn struct {
	net.Conn

	mu      sync.Mutex
	changed sync.Cond
	reading bool // a Read waits for bytes, so that none are left of those before
	closed  bool
}

func newQuietConn(c net.Conn) *quietConn {
	q := &quietConn{Conn: c}
	q.changed.L = &q.mu
	return q
}

// Read implements net.Conn.
func (q *quietConn) Read(p []byte) (int, error) {
	q.set(&q.reading, true)
	defer q.set(&q.reading, false)
	return q.Conn.Read(p)
}

// Close implements net.Conn.
func (q *quietConn) Close() error {
	q.set(&q.closed, true)
	return q.Conn.Close()
}

func (q *quietConn) set(what *bool, to bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	*what = to
	q.changed.Broadcast()
}

// await returns once net/http has read all that arrived, or has closed the connection because of it.
func (q *quietConn) await() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.reading && !q.closed {
		q.changed.Wait()
	}
}

// onQuietConns is a context for calls that take no kept connection with bytes on it. A Transport that is not the
// client's own is on its own.
func onQuietConns(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		conn := info.Conn
		if over, ok := conn.(*tls.Conn); ok {
			conn = over.NetConn()
		}
		if q, ok := conn.(*quietConn); ok && info.Reused {
			q.await()
		}
	}})
}

// quietly is dial, for connections that tell when they are quiet.
func quietly(dial func(ctx context.Context, network, address string) (net.Conn, error)) func(
	context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return newQuietConn(c), nil
	}
}
