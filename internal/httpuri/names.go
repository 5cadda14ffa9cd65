package httpuri

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
)

// AnyName among the configured hosts of a listener lets it be asked under every name.
const AnyName = "*"

// Names are the hosts as which a TCP listener may be asked. A web page can make its own name lead to a loopback
// address (DNS rebinding) and so make a browser ask a listener there; what the browser then sends as Host and Origin
// is that name. The zero Names are those of a listener that is not on loopback, and take every Host.
type Names struct {
	address  string
	loopback bool
	any      bool
	hosts    []string
	// usual are Host fields that are known, as most callers write them.
	usual map[string]bool
}

// NewNames returns the names of a listener at address, host:port, for which hosts are configured.
func NewNames(address string, hosts []string) Names {
	host, port, err := net.SplitHostPort(address)
	n := Names{address: address, loopback: err == nil && Loopback(host), any: slices.Contains(hosts, AnyName)}
	for _, h := range hosts {
		if h, ok := ConfiguredHost(h); ok {
			n.hosts = append(n.hosts, h)
		}
	}
	n.usual = map[string]bool{}
	for _, h := range append([]string{"localhost", "127.0.0.1", "[::1]"}, n.hosts...) {
		for _, usual := range []string{h, h + ":" + port} {
			n.usual[usual] = n.knowsHost(usual, func() string { return "" })
		}
	}
	return n
}

// Why a call is not for a listener of some Names.
var (
	ErrHost   = errors.New("the Host of the call is no name of this listener")
	ErrOrigin = errors.New("the call comes from a web page of another origin")
)

// Check returns ErrHost or ErrOrigin when a call is not for this listener, or not from a page that may call it.
func (n Names) Check(r *http.Request) error {
	if !n.usual[r.Host] && !n.knowsHost(r.Host, func() string { return localOf(r) }) {
		return ErrHost
	}
	for _, origin := range r.Header["Origin"] {
		if !n.knowsOrigin(origin, r.Host) {
			return ErrOrigin
		}
	}
	return nil
}

// localOf is the address at which a call arrived, or "".
func localOf(r *http.Request) string {
	if at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		return at.String()
	}
	return ""
}

// knowsHost reports whether a call with this Host field, which arrived at the address that local returns, is meant for
// the listener: Host is a name or address of loopback, the address itself, or configured. Where no name is configured
// for an address that is not loopback, every Host is known. HTTP/1.0 has no Host field; browsers do not speak it.
func (n Names) knowsHost(host string, local func() string) bool {
	if n.any || host == "" || n.loopback && host == n.address || !n.loopback && len(n.hosts) == 0 {
		return true
	}
	asked, ok := ReadAuthority(host)
	if !ok {
		return false
	}
	if slices.Contains(n.hosts, asked.Host) || Loopback(asked.Host) {
		return true
	}
	own, _, err := net.SplitHostPort(local())
	canonical, ok := ConfiguredHost(own)
	return err == nil && ok && canonical == asked.Host
}

// knowsOrigin reports whether a page of this Origin (RFC 6454 section 7) may call the listener as host: its host is
// configured, or it is the origin of the listener itself.
func (n Names) knowsOrigin(origin, host string) bool {
	if n.any {
		return true
	}
	scheme, rest, _ := strings.Cut(origin, "://")
	usual := map[string]uint16{"http": 80, "https": 443}[scheme]
	page, ok := ReadAuthority(rest)
	if usual == 0 || !ok {
		return false // "null" is of a page without origin
	}
	if slices.Contains(n.hosts, page.Host) {
		return true
	}
	own, ok := ReadAuthority(host)
	if page.Port == 0 {
		page.Port = usual
	}
	if own.Port == 0 {
		own.Port = usual
	}
	return ok && page == own
}
