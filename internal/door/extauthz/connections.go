package extauthz

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// connections is a listener that knows its connections. A stop of gRPC waits for each that has not sent the first
// bytes of HTTP/2 yet, such as those that a balancer opens in advance.
type connections struct {
	net.Listener
	mu   sync.Mutex
	open map[*connection]struct{}
}

func track(ln net.Listener) *connections {
	return &connections{Listener: ln, open: map[*connection]struct{}{}}
}

// Accept implements net.Listener.
func (l *connections) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	tracked := &connection{Conn: c, of: l}
	l.open[tracked] = struct{}{}
	return tracked, nil
}

// closeSilent closes the connections on which nothing has arrived.
func (l *connections) closeSilent() {
	l.closeThose(func(c *connection) bool { return !c.spoke.Load() })
}

func (l *connections) closeAll() { l.closeThose(func(*connection) bool { return true }) }

func (l *connections) closeThose(are func(*connection) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		if are(c) {
			_ = c.Conn.Close() // gRPC forgets it by Close
		}
	}
}

// connection is one of connections.
type connection struct {
	net.Conn
	of    *connections
	spoke atomic.Bool
}

// Read implements net.Conn.
func (c *connection) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && !c.spoke.Load() {
		c.spoke.Store(true)
	}
	return n, err
}

// Close implements net.Conn.
func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// telling are credentials that tell calls of their connection, and do nothing else: TLS is the listener's.
type telling struct {
	credentials.TransportCredentials
}

// ServerHandshake implements credentials.TransportCredentials.
func (telling) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return c, &origin{of: c.(*connection).Conn, address: c.RemoteAddr().String()}, nil
}

// origin is what calls know of their connection.
type origin struct {
	credentials.CommonAuthInfo
	of      net.Conn
	address string // of the caller
}

// AuthType implements credentials.AuthInfo.
func (*origin) AuthType() string { return "listener" }

// connOf is the connection of a call.
func connOf(ctx context.Context) net.Conn {
	if p, ok := peer.FromContext(ctx); ok {
		if known, ok := p.AuthInfo.(*origin); ok {
			return known.of
		}
	}
	return nil
}
