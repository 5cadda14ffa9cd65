package listen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// checkClientNames reports names without authorities that vouch for them, and names that no certificate can carry: a
// name that matches nothing, or more than it says, must not look like a rule.
func (t TLS) checkClientNames(fault func(key, cause, hint string)) {
	if len(t.ClientNames) > 0 && t.ClientCAFile == "" {
		fault("client_names", "names callers, and there is no client_ca_file",
			"set client_ca_file to the authorities of their certificates")
	}
	for i, name := range t.ClientNames {
		if !clientName(name) {
			fault(fmt.Sprintf("client_names[%d]", i), fmt.Sprintf("%q is neither a URI nor a DNS name", name),
				"write one such as spiffe://example.org/gateway or gateway.example.org, without wildcard")
		}
	}
}

func clientName(name string) bool {
	if strings.Contains(name, "*") {
		return false
	}
	if strings.Contains(name, ":") {
		u, err := url.Parse(name)
		return err == nil && u.IsAbs() && u.Host != "" && u.String() == name
	}
	host, ok := httpuri.Host(name)
	_, notAddress := netip.ParseAddr(name)
	return ok && notAddress != nil && host == strings.ToLower(name)
}

// nameIn is the first subject alternative name of a certificate that is one of names. URIs are compared byte for byte
// (SPIFFE ID, section 2), DNS names without regard to case.
func nameIn(leaf *x509.Certificate, names []string) (name string, ok bool) {
	for _, u := range leaf.URIs {
		if slices.Contains(names, u.String()) {
			return u.String(), true
		}
	}
	for _, dns := range leaf.DNSNames {
		if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, dns) }) {
			return strings.ToLower(dns), true
		}
	}
	return "", false
}

// callersNamed refuses a handshake whose client certificate, verified before, carries none of names.
func callersNamed(names []string) func(tls.ConnectionState) error {
	return func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return errors.New("client certificate: there is none")
		}
		leaf := s.PeerCertificates[0]
		if _, ok := nameIn(leaf, names); ok {
			return nil
		}
		return fmt.Errorf("client certificate: none of its names %q %q is in tls.client_names", leaf.URIs, leaf.DNSNames)
	}
}
