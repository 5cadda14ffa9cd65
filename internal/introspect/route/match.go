package route

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// Match says which tokens are an issuer's. A JWT that names an iss is that issuer's; of any other token prefix and
// length are looked at. Hosts and headers of the request narrow both. What is empty is not looked at.
type Match struct {
	Issuers   []string `yaml:"issuers" doc:"Accepted values of iss, in tokens and in answers. Empty accepts the issuer itself."`
	Prefixes  []string `yaml:"prefixes" doc:"Prefixes of its opaque tokens."`
	MinLength int      `yaml:"min_length" doc:"Length in bytes of its shortest opaque token."`
	MaxLength int      `yaml:"max_length" doc:"Length in bytes of its longest opaque token. 0 sets no limit."`
	Hosts     []string `yaml:"hosts" doc:"Hosts of the requests whose tokens belong to this issuer, without port."`
	Header    string   `yaml:"header" doc:"Request header, such as x-tenant, whose value selects this issuer."`
	Values    []string `yaml:"values" doc:"Values of that header that select this issuer."`
	Default   bool     `yaml:"default" doc:"Use this issuer for opaque tokens that match no other."`
}

func (m Match) isZero() bool {
	return len(m.Issuers) == 0 && len(m.Prefixes) == 0 && m.MinLength == 0 && m.MaxLength == 0 && len(m.Hosts) == 0 &&
		m.Header == "" && len(m.Values) == 0 && !m.Default
}

// Check reports what the tags cannot say about m alone.
func (m Match) Check(fault func(key, cause, hint string)) {
	for i, p := range m.Prefixes {
		key := fmt.Sprintf("prefixes[%d]", i)
		switch {
		case strings.ContainsFunc(p, notInToken):
			fault(key, "holds a character that no token has", "write how the tokens begin, without Bearer")
		case m.MaxLength > 0 && len(p) > m.MaxLength:
			fault(key, "is longer than match.max_length", "correct one of the two: no token can be both")
		}
	}
	if m.MaxLength > 0 && m.MaxLength < m.MinLength {
		fault("max_length", "is less than match.min_length", "correct one of the two: no token can be both")
	}
	for i, h := range m.Hosts {
		if _, ok := httpuri.ConfiguredHost(h); !ok && h != "" {
			fault(fmt.Sprintf("hosts[%d]", i), fmt.Sprintf("%q is no host", h),
				"write a name or an address, without scheme, port and path")
		}
	}
	m.checkHeader(fault)
	if m.Default && (len(m.Prefixes) > 0 || m.MinLength > 0 || m.MaxLength > 0) {
		fault("default", "takes what no other issuer takes, so that prefixes and lengths say nothing",
			"remove it, or match.prefixes, match.min_length and match.max_length")
	}
}

func (m Match) checkHeader(fault func(key, cause, hint string)) {
	switch name := httpuri.Lower(m.Header); {
	case name == "" && len(m.Values) > 0:
		fault("values", "are values of no header", "name it in match.header")
	case name == "":
	case name == "host":
		fault("header", "is the host", "use match.hosts")
	case !httpuri.IsToken(name):
		fault("header", fmt.Sprintf("%q is not a header name", m.Header), "write a name such as x-tenant")
	case len(m.Values) == 0:
		fault("header", "has no values", "name them in match.values")
	}
	for i, v := range m.Values {
		if v != strings.TrimSpace(v) {
			fault(fmt.Sprintf("values[%d]", i), "has blanks around it", "write a value as requests have it")
		}
	}
}

func notInToken(c rune) bool { return !httpuri.IsCredentialChar(c) }

// Check reports what is wrong with issuers together: above all that a token could be of two of them. Keys are such as
// issuers[1].match. Match.Check reports what is wrong with each alone.
func Check(issuers []Issuer, fault func(key, cause, hint string)) {
	for j, b := range issuers {
		at := fmt.Sprintf("issuers[%d]", j)
		rb := newRule(b, len(issuers))
		if rb.opaque == noOpaque && len(rb.names) == 0 {
			fault(at+".match",
				fmt.Sprintf("issuer %q takes no token: beside other issuers it has neither a name nor a rule", b.Name),
				"set issuer or match.issuers for its JWTs, match.prefixes or match.hosts for its opaque tokens, "+
					"or match.default")
		}
		for i, a := range issuers[:j] {
			if a.Name == b.Name {
				fault(at+".name", fmt.Sprintf("%q is the name of issuers[%d] too", b.Name, i),
					"give each issuer a name of its own")
			}
			checkPair(at, b.Name, a.Name, &rb, newRule(a, len(issuers)), fault)
		}
	}
}

// checkPair reports tokens that two issuers both take.
func checkPair(at, nb, na string, rb *rule, ra rule, fault func(key, cause, hint string)) {
	if ra.opaque == rest && rb.opaque == rest {
		fault(at+".match.default", fmt.Sprintf("issuers %q and %q are both the default", nb, na),
			"keep match.default at one of the two")
	}
	if ra.apart(rb) {
		return
	}
	for _, iss := range ra.names {
		if slices.Contains(rb.names, iss) {
			fault(at+".match", fmt.Sprintf("issuers %q and %q both take tokens whose iss is %q", nb, na, iss),
				"leave it to one of the two in match.issuers, or tell them apart by match.hosts, "+
					"or by other match.values of one match.header")
		}
	}
	if ra.opaque == matching && rb.opaque == matching && ra.overlaps(rb) {
		fault(at+".match", fmt.Sprintf("one opaque token can be of issuer %q and of issuer %q", nb, na),
			"give both match.prefixes of which none begins with another, or lengths without overlap, or match.hosts, "+
				"or other match.values of one match.header")
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
