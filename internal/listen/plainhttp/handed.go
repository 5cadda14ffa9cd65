package plainhttp

import "net"

// handed is a connection that is net/http's, on which something came already.
type handed struct {
	net.Conn
	rest []byte
}

// NetConn is the connection itself.
func (h *handed) NetConn() net.Conn { return h.Conn }

// CloseWrite tells the caller that nothing will follow. net/http looks for it.
func (h *handed) CloseWrite() error {
	if c, ok := h.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

func (h *handed) Read(p []byte) (int, error) {
	if len(h.rest) == 0 {
		h.rest = nil // which frees it
		return h.Conn.Read(p)
	}
	n := copy(p, h.rest)
	h.rest = h.rest[n:]
	return n, nil
}
