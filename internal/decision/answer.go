package decision

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// Reason codes of decisions that no policy made.
const (
	noCredential   = "no_credential"
	invalidToken   = token.CodeToken
	invalidProof   = token.CodeProof
	useNonce       = token.CodeNonce
	invalidRequest = "invalid_request"
	unavailable    = "temporarily_unavailable"
	tooMany        = introspect.TooManyUnknownTokens
	misconfigured  = "misconfigured"
	internalError  = "internal_error"
)

// misconfiguredUpstream is what a caller gets when the authorization server refuses the sidecar: it may work again
// without the caller doing anything.
const misconfiguredUpstream = http.StatusServiceUnavailable

// refuse makes the decision of a request that err kept from being decided. status replaces the usual status of
// Misconfigured when it is not 0. scheme is how the token was presented, or "". What callers are told is fixed text; the
// cause is for operators.
func (p *Point) refuse(err error, status int, scheme token.Scheme) authz.Decision {
	kind, code, retry := authz.KindOf(err), "", time.Duration(0)
	if e, ok := errors.AsType[*authz.Error](err); ok {
		code, retry = e.Code, e.RetryAfter
	}
	d := authz.Decision{Kind: kind, Cause: err}
	switch kind {
	case authz.Unauthenticated:
		d.Status = http.StatusUnauthorized
		c := authz.Challenge{Error: code}
		switch code {
		case noCredential:
			c.Error = ""
			d.Reasons = reason(noCredential, "the request carries no token")
		case invalidProof:
			d.Reasons = reason(invalidProof, "the proof of possession may not be used")
		case useNonce:
			c.ErrorDescription = "the proof needs a nonce of this server"
			d.Reasons = reason(useNonce, "the proof of possession needs a nonce of this server")
		default:
			c.Error = invalidToken
			d.Reasons = reason(invalidToken, "the token may not be used")
		}
		d.Headers = p.challenge(c, scheme)
	case authz.Malformed:
		d.Status = http.StatusBadRequest
		d.Headers = p.challenge(authz.Challenge{Error: invalidRequest}, scheme)
		d.Reasons = reason(invalidRequest, "the request or its credential is malformed")
	case authz.Unavailable:
		d.Status = http.StatusServiceUnavailable
		d.Headers = []authz.Header{{Name: "Retry-After", Values: []string{strconv.Itoa(max(1, int((retry+time.Second-1)/time.Second)))}}}
		d.Reasons = reason(unavailable, "nobody can say whether the token is good: try again")
		if code == tooMany {
			d.Status = http.StatusTooManyRequests
			d.Reasons = reason(tooMany, "too many tokens that are not known come at once: try again")
		}
	case authz.Misconfigured:
		d.Status = http.StatusInternalServerError
		if status != 0 {
			d.Status = status
		}
		d.Reasons = reason(misconfigured, "the sidecar needs its operator: give them the decision id")
	default:
		d.Kind = authz.Internal
		d.Status = http.StatusInternalServerError
		d.Reasons = reason(internalError, "the sidecar failed: give its operator the decision id")
	}
	return p.supplied(d, scheme)
}

// decided makes the decision of a policy's verdict. scheme is how the token was presented, or "" when there is none.
func (p *Point) decided(v *authz.Verdict, scheme token.Scheme) authz.Decision {
	d := authz.Decision{Kind: authz.Deny, Reasons: v.Reasons, Context: contextOf(v)}
	if v.Allow {
		d.Kind, d.Status, d.UpstreamHeaders = authz.Allow, http.StatusOK, v.UpstreamHeaders
		return p.supplied(d, scheme)
	}
	tokenPresent := scheme != ""
	d.Headers = slices.Clone(v.ResponseHeaders)
	c := authz.Challenge{}
	if v.Challenge != nil {
		c = complete(*v.Challenge)
	}
	d.Status = http.StatusForbidden
	switch {
	case v.Status != 0:
		d.Status = v.Status
	case c.Error == insufficientUserAuthentication || c.Error == invalidToken || !tokenPresent:
		d.Status = http.StatusUnauthorized
	case c.Error == invalidRequest: // BR-4
		d.Status = http.StatusBadRequest
	}
	// A 401 always says how to get in (RFC 9110 section 15.5.2); without a token it names no error (BR-3).
	if v.Challenge != nil || d.Status == http.StatusUnauthorized {
		if !tokenPresent {
			c.Error, c.ErrorDescription = "", ""
		}
		d.Headers = append(d.Headers, p.challenge(c, scheme)...)
	}
	return p.supplied(d, scheme)
}

// supplied gives a client that uses DPoP, or is about to, what its next request needs. A field that the policy set is
// replaced or, where a list says more, joined.
func (p *Point) supplied(d authz.Decision, scheme token.Scheme) authz.Decision {
	if scheme != token.DPoP && d.Status != http.StatusUnauthorized {
		return d
	}
	for _, h := range p.deps.Proofs.ResponseHeaders(p.deps.Now()) {
		i := slices.IndexFunc(d.Headers, func(o authz.Header) bool { return strings.EqualFold(o.Name, h.Name) })
		switch {
		case i < 0:
			d.Headers = append(d.Headers, h)
		case h.Name == "Access-Control-Expose-Headers":
			d.Headers[i].Values = slices.Concat(d.Headers[i].Values, h.Values)
		default:
			d.Headers[i] = h
		}
	}
	return d
}

func reason(code, message string) []authz.Reason {
	return []authz.Reason{{Code: code, Message: message}}
}

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

// challenge writes a WWW-Authenticate field for a client that presented its token under scheme, or presented none: RFC
// 6750 section 3, RFC 9449 section 7.1, RFC 9470 section 3. It answers under the scheme that was used, if that is one; who
// used none is told of all, and then there is no error to tell (DPOP-19). Whose bearer token is no good is told of DPoP too.
func (p *Point) challenge(c authz.Challenge, scheme token.Scheme) []authz.Header {
	offer := p.deps.Proofs.Presentation()
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

// challengeOf writes one challenge. Characters that a quoted string of these RFCs cannot hold were refused, or are replaced
// here.
func (p *Point) challengeOf(c authz.Challenge, scheme token.Scheme, offer token.Presentation) string {
	var b strings.Builder
	if scheme == token.DPoP {
		b.WriteString("DPoP realm=")
	} else {
		b.WriteString("Bearer realm=")
	}
	quote(&b, p.cfg.Realm)
	param := func(name, value string) {
		if value != "" {
			b.WriteString(", " + name + "=")
			quote(&b, value)
		}
	}
	param("error", c.Error)
	param("error_description", c.ErrorDescription)
	param("scope", strings.Join(c.Scope, " "))
	param("acr_values", strings.Join(c.ACRValues, " "))
	if c.HasMaxAge {
		param("max_age", strconv.FormatInt(c.MaxAge, 10))
	}
	if scheme == token.DPoP {
		param("algs", offer.Algorithms)
	}
	return b.String()
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

// contextOf joins the context and the obligations of a verdict, as the AuthZEN profile places them. The engine refuses
// a context that has obligations of its own.
func contextOf(v *authz.Verdict) []byte {
	if v.Obligations == nil {
		return v.Context
	}
	out := append([]byte(`{"obligations":`), v.Obligations...)
	if v.Context == nil {
		return append(out, '}')
	}
	return append(append(out, ','), v.Context[1:]...)
}
