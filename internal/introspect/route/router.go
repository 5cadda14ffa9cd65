// Package route chooses the issuer of a token, by what the token and its request say, without asking a server.
package route

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/jose"
)

// Issuer is what routing needs to know of one issuer.
type Issuer struct {
	// Name is the configured name; Identifier is its issuer identifier (RFC 8414), or empty.
	Name, Identifier string
	Match            Match
	// Place is where requests carry its tokens; the zero Place is that of all issuers that name none.
	Place authz.Place
	// RefusedPrefixes begin tokens that are the issuer's own and never good, such as its refresh tokens.
	RefusedPrefixes []string
}

// names are the values of iss by which i takes tokens, and which its server may say in an answer.
func (i Issuer) names() []string {
	switch {
	case len(i.Match.Issuers) > 0:
		return i.Match.Issuers
	case i.Identifier != "":
		return []string{i.Identifier}
	}
	return nil
}

// Choice is the issuer that a question goes to, or why it goes to none. Choices can be compared.
type Choice struct {
	index  int // 1 is the first issuer
	reason reason
	said   string // what a token says of its issuer that helps to correct the configuration, or empty
}

// Index is that of the chosen issuer, or -1.
func (c Choice) Index() int { return c.index - 1 }

// Why says why no issuer is chosen.
func (c Choice) Why() authz.Unusable {
	why := c.reason.unusable()
	why.Text += c.said
	return why
}

// Ambiguous reports whether the request, and not the token, is why no issuer is chosen.
func (c Choice) Ambiguous() bool { return c.reason == ambiguousHeader }

// reason says why no issuer is chosen.
type reason uint8

const (
	chosen reason = iota
	unknownIssuer
	issuerNotForRequest
	unmatched
	unreadableJWT
	oversized
	ambiguousHeader
	misplaced
)

func (r reason) unusable() authz.Unusable {
	switch r {
	case chosen:
		return authz.Unusable{}
	case unknownIssuer:
		return authz.NotUsable(authz.WrongIssuer, "names an issuer that is not configured")
	case issuerNotForRequest:
		return authz.NotUsable(authz.WrongIssuer, "names an issuer that is not configured for this host or header")
	case unreadableJWT:
		return authz.NotUsable(authz.Unreadable, "is made like a JWT and does not say whose it is")
	case oversized:
		return introspect.TooLong()
	case misplaced:
		return authz.NotUsable(authz.WrongIssuer, "comes in a header or a cookie that is not the configured one of "+
			"its issuer")
	case ambiguousHeader:
		return authz.NotUsable(authz.WrongIssuer, "comes with several fields of the header that tells its issuer")
	}
	return authz.NotUsable(authz.WrongIssuer, "is of no configured issuer")
}

// Router chooses the issuer of a token by what the token and the request say. It is immutable.
type Router struct {
	sole    bool          // the only issuer takes every token
	places  []authz.Place // of the issuers, in their order
	rules   []rule
	headers []string // all that any rule reads
	decodes bool     // some rule goes by iss
}

// rule is the Match of one issuer, prepared.
type rule struct {
	choice   Choice
	names    []string // values of iss; without any, a JWT is like any other token
	opaque   opaqueness
	prefixes []string
	refused  []string // prefixes of tokens that it refuses
	min, max int      // length in bytes; max 0 is none
	hosts    []string
	header   string
	values   []string
}

// opaqueness says which opaque tokens an issuer takes.
type opaqueness uint8

const (
	noOpaque opaqueness = iota
	matching            // by prefix, length, host or header
	rest                // what no other issuer takes
)

// New returns a Router for issuers that passed Check.
func New(issuers []Issuer) *Router {
	r := &Router{}
	for _, i := range issuers {
		r.places = append(r.places, i.Place)
	}
	if len(issuers) == 1 && issuers[0].Identifier == "" && issuers[0].Match.isZero() {
		r.sole = true
		return r
	}
	for n, i := range issuers {
		one := newRule(i, len(issuers))
		one.choice = Choice{index: n + 1}
		r.rules = append(r.rules, one)
		r.decodes = r.decodes || len(one.names) > 0
		if one.header != "" && !slices.Contains(r.headers, one.header) {
			r.headers = append(r.headers, one.header)
		}
	}
	return r
}

// newRule prepares the Match of one of n issuers.
func newRule(i Issuer, n int) rule {
	m := i.Match
	r := rule{
		names: i.names(), prefixes: m.Prefixes, refused: i.RefusedPrefixes, min: m.MinLength, max: m.MaxLength,
		header: httpuri.Lower(m.Header), values: m.Values,
	}
	for _, h := range m.Hosts {
		host, _ := httpuri.ConfiguredHost(h) // Check refuses what is no host; it matches no request
		r.hosts = append(r.hosts, cmp.Or(host, h))
	}
	switch {
	case m.Default:
		r.opaque = rest
	case len(m.Prefixes) > 0 || m.MinLength > 0 || m.MaxLength > 0 || len(m.Hosts) > 0 || m.Header != "":
		r.opaque = matching
	case n == 1:
		r.opaque = rest
	}
	return r
}

// Choose returns the issuer of a token. One that comes from a place that its issuer does not name goes to none: the
// place is looked at last, so that it makes no token another issuer's.
func (r *Router) Choose(q *introspect.Question) Choice {
	c := r.choose(q)
	if n := c.Index(); n >= 0 && !q.From.Accepted(r.places[n]) {
		return Choice{reason: misplaced}
	}
	return c
}

// choose routes a JWT to the issuer that its iss names; a name that no issuer has leaves only issuers without any
// name. A token that is made like a JWT and cannot be read may be of any issuer: only a prefix says more.
func (r *Router) choose(q *introspect.Question) Choice {
	if r.sole {
		return Choice{index: 1}
	}
	for _, h := range r.headers {
		if len(q.Headers[h]) > 1 {
			return Choice{reason: ambiguousHeader}
		}
	}
	t := q.Token.Reveal()
	if len(t) > introspect.MaxTokenBytes {
		return Choice{reason: oversized} // as every issuer would
	}
	// A compact JWS has two dots (RFC 7515 section 7.1): what has not needs no further look.
	if r.decodes && strings.Count(t, ".") == 2 {
		if iss, ok := jose.Issuer(t); ok {
			return r.byName(q, t, iss)
		}
		if len(r.rules) > 1 && illegible(t) {
			return r.byLook(q, t, prefixed, unreadableJWT)
		}
	}
	return r.byLook(q, t, anyRule, unmatched)
}

func (r *Router) byName(q *introspect.Question, t, iss string) Choice {
	claimed := false
	for i := range r.rules {
		one := &r.rules[i]
		if !slices.Contains(one.names, iss) {
			continue
		}
		if one.admits(q) {
			return one.choice
		}
		claimed = true
	}
	said := ": it names " + dialect.Quote(iss)
	if claimed {
		return Choice{reason: issuerNotForRequest, said: said}
	}
	c := r.byLook(q, t, nameless, unknownIssuer)
	if c.reason == unknownIssuer {
		c.said = said + ", configured is " + dialect.Quote(r.names()...)
	}
	return c
}

// names are all values of iss that some issuer takes.
func (r *Router) names() []string {
	var all []string
	for _, one := range r.rules {
		all = append(all, one.names...)
	}
	return all
}

// byLook chooses among the rules that may, and gives up for a reason.
func (r *Router) byLook(q *introspect.Question, t string, may func(*rule) bool, otherwise reason) Choice {
	for _, pass := range [...]opaqueness{matching, rest} {
		if pass == rest {
			if c, ok := r.refusingIssuer(t); ok {
				return c
			}
		}
		for i := range r.rules {
			one := &r.rules[i]
			if one.opaque == pass && may(one) && one.fits(t) && one.admits(q) {
				return one.choice
			}
		}
	}
	return Choice{reason: otherwise}
}

// refusingIssuer is the issuer that refuses tokens that begin so. They are its own all the same, refresh tokens most
// often, and are not left to an issuer that would ask its server about them.
func (r *Router) refusingIssuer(t string) (Choice, bool) {
	for i := range r.rules {
		if slices.ContainsFunc(r.rules[i].refused, func(p string) bool { return strings.HasPrefix(t, p) }) {
			return r.rules[i].choice, true
		}
	}
	return Choice{}, false
}

func anyRule(*rule) bool    { return true }
func nameless(r *rule) bool { return len(r.names) == 0 }
func prefixed(r *rule) bool { return len(r.prefixes) > 0 }

// illegible reports whether t, of three parts, is made like a JWT whose iss cannot be read. It decodes more leniently
// than jose does: a server may be careless, and its tokens are secrets all the same.
func illegible(t string) bool {
	part := strings.Split(t, ".")
	header, err := leniently(part[0])
	if err != nil || !strings.HasPrefix(strings.TrimSpace(string(header)), "{") {
		return false
	}
	if _, err := jose.Peek(t); err != nil {
		return true
	}
	payload, err := leniently(part[1])
	if err != nil {
		return true
	}
	claims, ok := jose.ReadClaims(payload)
	return !ok || claims.Has("iss")
}

// leniently decodes both alphabets of base64, padded or not.
func leniently(s string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(s),
		"="))
}

// fits reports whether an opaque token looks as r wants.
func (r *rule) fits(t string) bool {
	if len(t) < r.min || r.max > 0 && len(t) > r.max {
		return false
	}
	return len(r.prefixes) == 0 || slices.ContainsFunc(r.prefixes,
		func(p string) bool { return strings.HasPrefix(t, p) })
}

// admits reports whether the request is one whose tokens r takes. Of a header that tells there is one field at most.
func (r *rule) admits(q *introspect.Question) bool {
	if len(r.hosts) > 0 && !slices.Contains(r.hosts, q.Host) {
		return false
	}
	if r.header == "" {
		return true
	}
	fields := q.Headers[r.header]
	return len(fields) == 1 && slices.Contains(r.values, fields[0])
}
