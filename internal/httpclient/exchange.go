package httpclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"
)

// conn remembers when something last came over it, and what came first.
type conn struct {
	net.Conn

	mu    sync.Mutex
	heard time.Time
	first []byte
}

// firstBytes are enough to tell HTTP from TLS.
const firstBytes = 5

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.mu.Lock()
		c.heard = time.Now()
		if missing := firstBytes - len(c.first); missing > 0 {
			c.first = append(c.first, b[:min(n, missing)]...)
		}
		c.mu.Unlock()
	}
	return n, err
}

func (c *conn) heardSince(t time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard.After(t)
}

// exchange is what is known about one request on its way. Its methods may be called on nil.
type exchange struct {
	began time.Time

	mu        sync.Mutex // guards what follows: a connection can be opened for a request that has ended
	proxy     *url.URL
	fresh     *conn // opened for this request
	handshake bool  // TLS with the server itself was begun
	got       *conn // which the request was sent over
	reused    bool
	http2     bool
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// in makes net/http tell x what happens.
func (x *exchange) in(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(context.WithValue(ctx, exchangeKey{}, x), &httptrace.ClientTrace{
		TLSHandshakeStart: x.shakesHands,
		GotConn:           x.gotConn,
	})
}

func (x *exchange) proxied(by *url.URL) {
	if x == nil {
		return
	}
	x.mu.Lock()
	x.proxy = by
	x.mu.Unlock()
}

func (x *exchange) dialled(c *conn) {
	if x == nil {
		return
	}
	x.mu.Lock()
	x.fresh = c
	x.mu.Unlock()
}

func (x *exchange) shakesHands() {
	x.mu.Lock()
	x.handshake = true
	x.mu.Unlock()
}

func (x *exchange) gotConn(i httptrace.GotConnInfo) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.reused = i.Reused
	c := i.Conn
	for {
		t, ok := c.(*tls.Conn)
		if !ok {
			break
		}
		x.http2 = x.http2 || t.ConnectionState().NegotiatedProtocol == "h2"
		c = t.NetConn()
	}
	x.got, _ = c.(*conn)
}

// silent is the connection over which nothing came since the request began, and whether it is one of HTTP/2; nil when
// there is none such, or when the request opened it.
func (x *exchange) silent() (*conn, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.got == nil || !x.reused || x.got.heardSince(x.began) {
		return nil, false
	}
	return x.got, x.http2
}

func (x *exchange) onDeadConnection() bool {
	c, _ := x.silent()
	return c != nil
}

// opening is what the server said first over the connection of this request; nil when it said nothing, or through a
// proxy, which speaks first. It is called with mu held.
func (x *exchange) opening() []byte {
	c := x.got
	if c == nil {
		c = x.fresh
	}
	if c == nil || x.proxy != nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.first)
}

// plainToTLS reports whether an answer is what servers say to plain HTTP on a port for TLS.
func (x *exchange) plainToTLS(u *url.URL, a Answer) bool {
	if u.Scheme != "http" || a.Status != http.StatusBadRequest {
		return false
	}
	for _, said := range []string{
		"Client sent an HTTP request to an HTTPS server", // Go
		"The plain HTTP request was sent to HTTPS port",  // nginx
		"speaking plain HTTP to an SSL-enabled",          // Apache
		"This combination of host and port requires TLS", // Tomcat
	} {
		if bytes.Contains(a.Body, []byte(said)) {
			return true
		}
	}
	return false
}
