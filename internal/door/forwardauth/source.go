package forwardauth

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// Source is how a check tells the address of the client.
type Source struct {
	Header         string   `yaml:"header" doc:"Header with the address, to which the gateway adds that of its own client; empty is that of the profile."`
	TrustedProxies []string `yaml:"trusted_proxies" doc:"Networks and addresses of proxies before the gateway, whose additions to the header are believed."`
}

func (s Source) check(fault func(key, cause, hint string)) {
	switch name := http.CanonicalHeaderKey(s.Header); {
	case s.Header == "":
	case !httpuri.IsToken(s.Header):
		fault("source.header", fmt.Sprintf("%q is not a header name", s.Header), "write one such as x-forwarded-for")
	case name == "Authorization" || name == "Cookie" || name == "Dpop" || name == "Host":
		fault("source.header", s.Header+" is the client's", "name the header that the gateway writes")
	}
	for i, text := range s.TrustedProxies {
		if _, err := network(text); err != nil {
			fault(fmt.Sprintf("source.trusted_proxies[%d]", i), err.Error(), "write 10.0.0.0/8 or 10.1.2.3")
		}
	}
}

func network(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	n, err := netip.ParsePrefix(text)
	if err != nil || n.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is neither a network nor an address", text)
	}
	return n.Masked(), nil
}

// client is the address of the client in the value of the header, to which each proxy adds the address of its own
// client on the right: the last one that is no trusted proxy's. What stands left of it is the client's own. An element
// that is no address, right of that, is a proxy that hides its client, whose address is then unknown: "".
func (s Source) client(value string) string {
	if len(s.TrustedProxies) == 0 && strings.IndexByte(value, ',') < 0 {
		return strings.TrimSpace(value) // the gateway's, as it is
	}
	elements := strings.Split(value, ",")
	for i := len(elements) - 1; i >= 0; i-- {
		element := strings.TrimSpace(elements[i])
		address, err := netip.ParseAddr(element)
		if err != nil {
			return ""
		}
		if i == 0 || !s.trusts(address.Unmap()) {
			return element
		}
	}
	return ""
}

func (s Source) trusts(address netip.Addr) bool {
	for _, text := range s.TrustedProxies {
		if n, err := network(text); err == nil && n.Contains(address) {
			return true
		}
	}
	return false
}
