package decision

import (
	"net/http"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// decided makes the decision of a policy's verdict.
func (p *Point) decided(v *authz.Verdict, to *client) authz.Decision {
	d := authz.Decision{Kind: authz.Deny, Reasons: v.Reasons, Context: v.Context, Obligations: v.Obligations}
	if v.Allow {
		set, err := withIdentity(v.UpstreamHeaders, p.identity)
		if err != nil {
			return p.refuse(err, to)
		}
		d.Kind, d.Status, d.UpstreamHeaders = authz.Allow, http.StatusOK, set
		return p.withDPoPHeaders(d, to.scheme)
	}
	tokenPresent := to.scheme != ""
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
		d.Headers = append(d.Headers, p.challenge(c, to)...)
	}
	return p.withDPoPHeaders(d, to.scheme)
}

// withDPoPHeaders adds the nonce, and its exposure to scripts, that the next request of a client with DPoP needs:
// after each request with DPoP, and on each 401. A field of the same name that the policy set is replaced, and a list
// of names joined.
func (p *Point) withDPoPHeaders(d authz.Decision, scheme token.Scheme) authz.Decision {
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
