package extauthz

import (
	"net"
	"sync"
	"sync/atomic"
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
