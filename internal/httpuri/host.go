package httpuri

import (
	"net/netip"
	"strconv"
	"strings"
)

// Authority is a host and the port that was given with it; Port is 0 when none was.
type Authority struct {
	// Host is canonical. See Host.
	Host string
	Port uint16
}

// ReadAuthority reads the authority of a URI (RFC 3986 section 3.2) or a Host field (RFC 9110 section 7.2), without a
// user: a host, or a host and a port from 1 to 65535.
func ReadAuthority(s string) (Authority, bool) {
	host, port := s, uint64(0)
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		var err error
		if port, err = strconv.ParseUint(s[i+1:], 10, 16); err != nil || port == 0 {
			return Authority{}, false
		}
		host = s[:i]
	}
	canonical, ok := Host(host)
	return Authority{canonical, uint16(port)}, ok
}

// Host is the one spelling of a host: a name in lower case without the dot at its end, an IPv4 address, or an IPv6
// address in brackets as RFC 5952 writes it. An IPv6 address that stands for one of IPv4 is that one. An address with
// a zone (RFC 6874) means something on one machine only, and is no host.
func Host(s string) (string, bool) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		if !closed || err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", false
		}
		return addressHost(addr), true
	}
	s = Lower(strings.TrimSuffix(s, "."))
	for i := range len(s) {
		if !hostChars[s[i]] {
			return "", false
		}
	}
	return s, s != "" && len(s) <= maxHostBytes && s[0] != '.' && s[len(s)-1] != '.' && !strings.Contains(s, "..")
}

// maxHostBytes is the longest name of DNS as text (RFC 1035 section 2.3.4).
const maxHostBytes = 253

var hostChars = charSet("abcdefghijklmnopqrstuvwxyz0123456789-._")

// ConfiguredHost is Host for what people write: an IPv6 address needs no brackets there.
func ConfiguredHost(s string) (string, bool) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return addressHost(addr), true
	}
	return Host(s)
}

func addressHost(addr netip.Addr) string {
	if addr = addr.Unmap(); addr.Is4() {
		return addr.String()
	}
	return "[" + addr.String() + "]"
}

// Loopback reports whether a host, with or without the brackets of IPv6, is this machine: localhost, 127.0.0.0/8 or
// ::1.
func Loopback(host string) bool {
	host, ok := ConfiguredHost(host)
	if !ok {
		return false
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}

// Network is what one client has of addresses: one of IPv4, or the /64 that a subscriber has of IPv6. It is not valid
// when a is not.
func Network(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
