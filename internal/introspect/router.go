package introspect

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/jose"
)

// Choice is the issuer that a question goes to, or why it goes to none. Choices can be compared: where choice, token and
// demand are equal, so is the answer.
type Choice struct {
	issuer *Issuer
	reason reason
	// said is what a token says of its issuer that helps to mend the configuration, or empty.
	said string
}

// Issuer is the chosen one, or nil.
func (c Choice) Issuer() *Issuer { return c.issuer }

// Why says why no issuer is chosen, as a predicate of the token, or "".
func (c Choice) Why() string { return c.reason.String() + c.said }

// Introspect asks the chosen issuer. Where none is chosen nobody is asked: the token is not active.
func (c Choice) Introspect(ctx context.Context, q Question) (*authz.Claims, error) {
	switch {
	case c.issuer != nil:
		return c.issuer.Introspect(ctx, q)
	case c.reason == ambiguousHeader:
		return nil, authz.Errorf(authz.Malformed, "choose issuer: the token %s", c.reason)
	}
	return dialect.Unusable(c.Why(), time.Now()).Claims, nil
}

// Choose chooses i, whatever is asked.
func (i *Issuer) Choose(Question) Choice { return Choice{issuer: i} }

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
)

func (r reason) String() string {
	switch r {
	case chosen:
		return ""
	case unknownIssuer:
		return "names an issuer that is not configured"
	case issuerNotForRequest:
		return "names an issuer that is not configured for this host or header"
	case unreadableJWT:
		return "is made like a JWT and does not say whose it is"
	case oversized:
		return tooLong()
	case ambiguousHeader:
		return "comes with several fields of the header that tells its issuer"
	}
	return "is of no configured issuer"
}

// router chooses. It is immutable.
type router struct {
	sole    *Issuer // takes everything, unlooked at
	rules   []rule
	headers []string // all that any rule reads
	decodes bool     // some rule goes by iss
}

// rule is the Match of one issuer, prepared.
type rule struct {
	issuer   *Issuer
	names    []string // values of iss; without any, a JWT is like any other token
	opaque   opaqueness
	prefixes []string
	min, max int // length in bytes; max 0 is none
	hosts    []string
	header   string
	values   []string
}

// opaqueness says which opaque tokens an issuer takes.
type opaqueness uint8

const (
	noOpaque   opaqueness = iota
	thoseOfIts            // by prefix, length, host or header
	rest                  // what no other issuer takes
)

func newRouter(cfgs []Config, issuers []*Issuer) router {
	if len(cfgs) == 1 && cfgs[0].Endpoint.Issuer == "" && cfgs[0].Match.isZero() {
		return router{sole: issuers[0]}
	}
	var r router
	for i, cfg := range cfgs {
		one := newRule(cfg, len(cfgs))
		one.issuer = issuers[i]
		r.rules = append(r.rules, one)
		r.decodes = r.decodes || len(one.names) > 0
		if one.header != "" && !slices.Contains(r.headers, one.header) {
			r.headers = append(r.headers, one.header)
		}
	}
	return r
}

// newRule prepares the Match of one of n issuers.
func newRule(cfg Config, n int) rule {
	m := cfg.Match
	r := rule{
		names: cfg.names(), prefixes: m.Prefixes, min: m.MinLength, max: m.MaxLength,
		header: httpuri.Lower(m.Header), values: m.Values,
	}
	for _, h := range m.Hosts {
		host, _ := httpuri.ConfiguredHost(h) // one that is none did not pass Check, and is that of no request
		r.hosts = append(r.hosts, cmp.Or(host, h))
	}
	switch {
	case m.Default:
		r.opaque = rest
	case len(m.Prefixes) > 0 || m.MinLength > 0 || m.MaxLength > 0 || len(m.Hosts) > 0 || m.Header != "":
		r.opaque = thoseOfIts
	case n == 1:
		r.opaque = rest
	}
	return r
}

// names are the values of iss by which c takes tokens, and which its server may say in an answer.
func (c Config) names() []string {
	switch {
	case len(c.Match.Issuers) > 0:
		return c.Match.Issuers
	case c.Endpoint.Issuer != "":
		return []string{c.Endpoint.Issuer}
	}
	return nil
}

// choose lets a JWT go to whom its iss names; where nobody has that name, only issuers without any name may have it. What
// is made like a JWT and cannot be read may be anybody's: only a prefix says more.
func (r *router) choose(q *Question) Choice {
	if r.sole != nil {
		return Choice{issuer: r.sole}
	}
	for _, h := range r.headers {
		if len(q.Headers[h]) > 1 {
			return Choice{reason: ambiguousHeader}
		}
	}
	t := q.Token.Reveal()
	if len(t) > maxTokenBytes {
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

func (r *router) byName(q *Question, t, iss string) Choice {
	claimed := false
	for i := range r.rules {
		one := &r.rules[i]
		if !slices.Contains(one.names, iss) {
			continue
		}
		if one.admits(q) {
			return Choice{issuer: one.issuer}
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
func (r *router) names() []string {
	var all []string
	for _, one := range r.rules {
		all = append(all, one.names...)
	}
	return all
}

// byLook chooses among the rules that may, and gives up for a reason.
func (r *router) byLook(q *Question, t string, may func(*rule) bool, otherwise reason) Choice {
	for _, pass := range [...]opaqueness{thoseOfIts, rest} {
		if pass == rest {
			if i := r.refusingIssuer(t); i != nil {
				return Choice{issuer: i}
			}
		}
		for i := range r.rules {
			one := &r.rules[i]
			if one.opaque == pass && may(one) && one.fits(t) && one.admits(q) {
				return Choice{issuer: one.issuer}
			}
		}
	}
	return Choice{reason: otherwise}
}

// refusingIssuer is the issuer that takes no tokens that begin so, or nil. They are its own all the same, refresh tokens most often,
// and none of them is left to somebody who would ask about it.
func (r *router) refusingIssuer(t string) *Issuer {
	for i := range r.rules {
		for _, p := range r.rules[i].issuer.refusedPrefixes {
			if strings.HasPrefix(t, p) {
				return r.rules[i].issuer
			}
		}
	}
	return nil
}

func anyRule(*rule) bool    { return true }
func nameless(r *rule) bool { return len(r.names) == 0 }
func prefixed(r *rule) bool { return len(r.prefixes) > 0 }

// illegible reports whether t, of three parts, is made like a JWT and does not clearly name nobody. It looks with a more
// lenient eye than jose does: a server may be careless, and its tokens are secrets all the same.
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
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(s), "="))
}

// fits reports whether an opaque token looks as r wants.
func (r *rule) fits(t string) bool {
	if len(t) < r.min || r.max > 0 && len(t) > r.max {
		return false
	}
	return len(r.prefixes) == 0 || slices.ContainsFunc(r.prefixes, func(p string) bool { return strings.HasPrefix(t, p) })
}

// admits reports whether the request is one whose tokens r takes. Of a header that tells there is one field at most.
func (r *rule) admits(q *Question) bool {
	if len(r.hosts) > 0 && !slices.Contains(r.hosts, q.Host) {
		return false
	}
	if r.header == "" {
		return true
	}
	fields := q.Headers[r.header]
	return len(fields) == 1 && slices.Contains(r.values, fields[0])
}
