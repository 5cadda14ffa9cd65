package token

import (
	"fmt"
	"net/netip"
	"strings"
)

// hops are the callers who are believed about certificates (MTLS-5).
type hops struct {
	unix     bool
	networks []netip.Prefix
}

func readHops(list []string) (hops, error) {
	var h hops
	for _, s := range list {
		if s == "unix" {
			h.unix = true
			continue
		}
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			h.networks = append(h.networks, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
			continue
		}
		n, err := netip.ParsePrefix(s)
		if err != nil || n.Addr().Is4In6() {
			return hops{}, fmt.Errorf("%q is neither a network, nor an address, nor unix", s)
		}
		h.networks = append(h.networks, n.Masked())
	}
	return h, nil
}

// trusts reports whether a caller, as the listener saw it, is one of them. Who is not seen is not.
func (h hops) trusts(caller string) bool {
	if strings.HasPrefix(caller, "@") || strings.HasPrefix(caller, "/") { // how package net writes a Unix socket
		return h.unix
	}
	var a netip.Addr
	if both, err := netip.ParseAddrPort(caller); err == nil {
		a = both.Addr()
	} else if a, err = netip.ParseAddr(caller); err != nil {
		return false
	}
	a = a.Unmap().WithZone("")
	for _, n := range h.networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}
