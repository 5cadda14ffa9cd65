package listen

import (
	"crypto/tls"
	"net"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// certificateOf is the name in the client certificate of a connection, or "" without one: that of names which it
// carries, or else its first URI, its first DNS name, or its subject.
func certificateOf(conn net.Conn, names []string) string {
	secured, ok := conn.(*tls.Conn)
	if !ok {
		return ""
	}
	certificates := secured.ConnectionState().PeerCertificates
	if len(certificates) == 0 {
		return ""
	}
	leaf := certificates[0]
	name, ok := nameIn(leaf, names)
	switch {
	case ok:
		return name
	case len(leaf.URIs) > 0:
		return leaf.URIs[0].String()
	case len(leaf.DNSNames) > 0:
		return strings.ToLower(leaf.DNSNames[0])
	}
	return leaf.Subject.String()
}

// addressOf is the address of the caller of a connection, or its network: see httpuri.Network.
func addressOf(conn net.Conn) string {
	if conn == nil {
		return ""
	}
	remote, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return ""
	}
	network := httpuri.Network(remote.AddrPort().Addr())
	if network.IsSingleIP() {
		return network.Addr().String()
	}
	return network.String()
}
