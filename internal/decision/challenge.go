package decision

import (
	"slices"
	"strconv"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/token"
)

const (
	insufficientScope              = "insufficient_scope"
	insufficientUserAuthentication = "insufficient_user_authentication"
)

// complete gives a challenge the error its members stand for, when the policy left it out.
func complete(c authz.Challenge) authz.Challenge {
	switch {
	case c.Error != "":
	case len(c.ACRValues) > 0 || c.HasMaxAge:
		c.Error = insufficientUserAuthentication
	case len(c.Scope) > 0:
		c.Error = insufficientScope
	}
	return c
}

// challenge writes a WWW-Authenticate field for a client that presented its token under scheme, or presented none:
// RFC 6750 section 3, RFC 9449 section 7.1, RFC 9470 section 3. The field has one challenge, for the scheme that was
// used. A request without a token is offered every scheme, without an error (DPOP-19), and one with a bad bearer
// token is offered DPoP too.
func (p *Point) challenge(c authz.Challenge, to *client) []authz.Header {
	scheme, offer := to.scheme, p.deps.Proofs.Presentation()
	if to.resource != nil {
		return []authz.Header{{Name: "WWW-Authenticate", Values: resourceChallenges(c, to, offer, p.cfg.Realm)}}
	}
	var values []string
	switch {
	case scheme == "" && c.Error == "":
		for _, s := range offer.Schemes {
			values = append(values, p.challengeOf(c, s, offer))
		}
	case !slices.Contains(offer.Schemes, scheme):
		values = append(values, p.challengeOf(c, offer.Schemes[0], offer))
	default:
		values = append(values, p.challengeOf(c, scheme, offer))
		if scheme == token.Bearer && c.Error == invalidToken && slices.Contains(offer.Schemes, token.DPoP) {
			values = append(values, p.challengeOf(authz.Challenge{}, token.DPoP, offer))
		}
	}
	return []authz.Header{{Name: "WWW-Authenticate", Values: values}}
}

// challengeOf writes one challenge.
func (p *Point) challengeOf(c authz.Challenge, scheme token.Scheme, offer proof.Presentation) string {
	w := parameters{scheme: scheme}
	w.always("realm", p.cfg.Realm)
	w.add("error", c.Error)
	w.add("error_description", c.ErrorDescription)
	w.add("scope", strings.Join(c.Scope, " "))
	w.login(c)
	if scheme == token.DPoP {
		w.add("algs", offer.Algorithms)
	}
	return w.String()
}

// parameters writes the parameters of one challenge after its scheme. A character that a quoted string of these RFCs
// cannot hold becomes a question mark.
type parameters struct {
	strings.Builder
	scheme token.Scheme
}

// add writes a parameter, unless its value is empty.
func (w *parameters) add(name, value string) {
	if value != "" {
		w.always(name, value)
	}
}

// always writes a parameter, also an empty one.
func (w *parameters) always(name, value string) {
	switch {
	case w.Len() > 0:
		w.WriteString(", ")
	case w.scheme == token.DPoP:
		w.WriteString("DPoP ")
	default:
		w.WriteString("Bearer ")
	}
	w.WriteString(name + "=")
	quote(&w.Builder, value)
}

// login writes what RFC 9470 section 3 has.
func (w *parameters) login(c authz.Challenge) {
	w.add("acr_values", strings.Join(c.ACRValues, " "))
	if c.HasMaxAge {
		w.add("max_age", strconv.FormatInt(c.MaxAge, 10))
	}
}

// quote writes s as a quoted string of BR-5: %x20-21 / %x23-5B / %x5D-7E; anything else becomes a question mark.
func quote(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, r := range s {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			r = '?'
		}
		b.WriteRune(r)
	}
	b.WriteByte('"')
}
