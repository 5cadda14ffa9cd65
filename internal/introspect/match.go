package introspect

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

func (m Match) isZero() bool {
	return len(m.Issuers) == 0 && len(m.Prefixes) == 0 && m.MinLength == 0 && m.MaxLength == 0 && len(m.Hosts) == 0 &&
		m.Header == "" && len(m.Values) == 0 && !m.Default
}

// check reports every fault of m alone.
func (m Match) check(fault func(key, cause, hint string)) {
	for i, iss := range m.Issuers {
		if iss == "" {
			fault(fmt.Sprintf("match.issuers[%d]", i), "is empty", "write a value of iss, exactly as tokens have it")
		}
	}
	for i, p := range m.Prefixes {
		key := fmt.Sprintf("match.prefixes[%d]", i)
		switch {
		case p == "":
			fault(key, "is empty", "remove it: every token begins so")
		case strings.ContainsFunc(p, notInToken):
			fault(key, "holds a character that no token has", "write how the tokens begin, without Bearer")
		case m.MaxLength > 0 && len(p) > m.MaxLength:
			fault(key, "is longer than match.max_length", "correct one of the two: no token can be both")
		}
	}
	if m.MinLength < 0 {
		fault("match.min_length", "is negative", "write a number of bytes")
	}
	if m.MaxLength < 0 || m.MaxLength > 0 && m.MaxLength < m.MinLength {
		fault("match.max_length", "is less than match.min_length", "correct one of the two: no token can be both")
	}
	for i, h := range m.Hosts {
		if _, ok := httpuri.ConfiguredHost(h); !ok {
			fault(fmt.Sprintf("match.hosts[%d]", i), fmt.Sprintf("%q is no host", h), "write a name or an address, without scheme, port and path")
		}
	}
	m.checkHeader(fault)
	if m.Default && (len(m.Prefixes) > 0 || m.MinLength > 0 || m.MaxLength > 0) {
		fault("match.default", "takes what no other issuer takes, so that prefixes and lengths say nothing", "remove it, or match.prefixes, match.min_length and match.max_length")
	}
}

func (m Match) checkHeader(fault func(key, cause, hint string)) {
	switch name := httpuri.Lower(m.Header); {
	case name == "" && len(m.Values) > 0:
		fault("match.values", "are values of no header", "name it in match.header")
	case name == "":
	case name == "host":
		fault("match.header", "is the host", "use match.hosts")
	case !httpuri.IsToken(name):
		fault("match.header", fmt.Sprintf("%q is not a header name", m.Header), "write a name such as x-tenant")
	case len(m.Values) == 0:
		fault("match.header", "has no values", "name them in match.values")
	}
	for i, v := range m.Values {
		if v == "" || v != strings.TrimSpace(v) {
			fault(fmt.Sprintf("match.values[%d]", i), "is empty, or has blanks around it", "write a value as requests have it")
		}
	}
}

func notInToken(c rune) bool { return !httpuri.IsCredentialChar(c) }

// CheckIssuers reports what is wrong with issuers together, which is above all that a token could be of two of them. Keys
// are such as issuers[1].match. What is wrong with each alone its own Check reports.
func CheckIssuers(cfgs []Config, fault func(key, cause, hint string)) {
	for j, b := range cfgs {
		at := fmt.Sprintf("issuers[%d]", j)
		nb := b.Endpoint.Name
		rb := newRule(b, len(cfgs))
		if rb.opaque == noOpaque && len(rb.names) == 0 {
			fault(at+".match", fmt.Sprintf("issuer %q takes no token: beside other issuers it has neither a name nor a rule", nb),
				"set issuer or match.issuers for its JWTs, match.prefixes or match.hosts for its opaque tokens, or match.default")
		}
		for i, a := range cfgs[:j] {
			na := a.Endpoint.Name
			if na == nb {
				fault(at+".name", fmt.Sprintf("%q is the name of issuers[%d] too", nb, i), "give each issuer a name of its own")
			}
			ra := newRule(a, len(cfgs))
			if ra.opaque == rest && rb.opaque == rest {
				fault(at+".match.default", fmt.Sprintf("issuers %q and %q are both the default", nb, na), "keep match.default at one of the two")
			}
			if ra.apart(&rb) {
				continue
			}
			for _, iss := range ra.names {
				if slices.Contains(rb.names, iss) {
					fault(at+".match", fmt.Sprintf("issuers %q and %q both take tokens whose iss is %q", nb, na, iss),
						"leave it to one of the two in match.issuers, or tell them apart by match.hosts, or by other match.values of one match.header")
				}
			}
			if ra.opaque == thoseOfIts && rb.opaque == thoseOfIts && ra.overlaps(&rb) {
				fault(at+".match", fmt.Sprintf("one opaque token can be of issuer %q and of issuer %q", nb, na),
					"give both match.prefixes of which none begins with another, or lengths without overlap, or match.hosts, or other match.values of one match.header")
			}
		}
	}
}

// apart reports whether no request is one whose tokens both take.
func (r *rule) apart(o *rule) bool {
	if len(r.hosts) > 0 && len(o.hosts) > 0 && !share(r.hosts, o.hosts) {
		return true
	}
	return r.header != "" && r.header == o.header && !share(r.values, o.values)
}

func share(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// overlaps reports whether one token can look as both want.
func (r *rule) overlaps(o *rule) bool {
	least, most := max(r.min, o.min), min(r.longest(), o.longest())
	for _, p := range r.beginnings() {
		for _, s := range o.beginnings() {
			both := strings.HasPrefix(p, s) || strings.HasPrefix(s, p)
			if both && max(least, len(p), len(s)) <= most {
				return true
			}
		}
	}
	return false
}

func (r *rule) longest() int {
	if r.max == 0 {
		return math.MaxInt
	}
	return r.max
}

func (r *rule) beginnings() []string {
	if len(r.prefixes) == 0 {
		return []string{""}
	}
	return r.prefixes
}

// ModesOf lists the modes that at least one of the issuers can do, as far as its configuration tells: what discovery will
// find is not known yet.
func ModesOf(cfgs []Config) []Mode {
	var asks, validates, both bool
	for _, c := range cfgs {
		a := (c.Endpoint.Issuer != "" || c.Endpoint.IntrospectionEndpoint != "") && c.Dialect.Encoding() != dialect.Unasked
		v := (c.Endpoint.Issuer != "" || c.Endpoint.JWKSURI != "") && c.Dialect.HasJWTs()
		asks, validates, both = asks || a, validates || v, both || a && v
	}
	var modes []Mode
	for _, m := range []struct {
		mode Mode
		can  bool
	}{{Introspect, asks}, {JWT, validates}, {JWTThenIntrospect, both}, {IntrospectOpaque, both}} {
		if m.can {
			modes = append(modes, m.mode)
		}
	}
	return modes
}

// WarnIssuers reports what is allowed about issuers together, and seldom meant: one that may speak for every tenant, also for
// those of the others. See CheckIssuers.
func WarnIssuers(cfgs []Config, warn func(key, cause, hint string)) {
	if len(cfgs) < 2 {
		return
	}
	for i, c := range cfgs {
		if len(c.Dialect.Tenant) > 0 && len(c.Dialect.Tenants) == 0 {
			warn(fmt.Sprintf("issuers[%d].tenants", i), fmt.Sprintf("is empty: issuer %q may speak for the tenants of the other issuers", c.Endpoint.Name),
				`list its tenants, or write ["*"] where it is meant`)
		}
	}
}
