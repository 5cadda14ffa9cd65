package proof

import (
	"fmt"
	"net/netip"
	"strings"
)

// proxies are the callers that are trusted to report the certificate of the client (MTLS-5).
type proxies struct {
	unix     bool
	networks []netip.Prefix
}

func readProxies(list []string) (proxies, error) {
	var p proxies
	for _, s := range list {
		if s == "unix" {
			p.unix = true
			continue
		}
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			p.networks = append(p.networks, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
			continue
		}
		n, err := netip.ParsePrefix(s)
		if err != nil || n.Addr().Is4In6() {
			return proxies{}, fmt.Errorf("%q is neither a network, nor an address, nor unix", s)
		}
		p.networks = append(p.networks, n.Masked())
	}
	return p, nil
}

// include reports whether a caller is one of the proxies. caller is the remote address that the listener saw; an
// unknown address is not included.
func (p proxies) include(caller string) bool {
	if strings.HasPrefix(caller, "@") || strings.HasPrefix(caller, "/") { // how package net writes a Unix socket
		return p.unix
	}
	var a netip.Addr
	if both, err := netip.ParseAddrPort(caller); err == nil {
		a = both.Addr()
	} else if a, err = netip.ParseAddr(caller); err != nil {
		return false
	}
	a = a.Unmap().WithZone("")
	for _, n := range p.networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}
