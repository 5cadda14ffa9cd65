package decision

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/proof"
)

// Reason codes of decisions that no policy made.
const (
	noCredential   = "no_credential"
	invalidToken   = proof.CodeInvalidToken
	invalidProof   = proof.CodeInvalidProof
	useNonce       = proof.CodeUseNonce
	invalidRequest = "invalid_request"
	unavailable    = "temporarily_unavailable"
	tooMany        = introspect.TooManyUnknownTokens
	misconfigured  = "misconfigured"
	// PolicyStale is the code of decisions that are refused because policies are too old.
	PolicyStale   = "policy_stale"
	internalError = "internal_error"
)

// refuse makes the decision of a request that err kept from being decided. Callers are told fixed text; the cause is
// for operators.
func (p *Point) refuse(err error, to *client) authz.Decision {
	kind, code, retryAfter := authz.KindOf(err), "", time.Duration(0)
	e, ok := errors.AsType[*authz.Error](err)
	if ok {
		code, retryAfter = e.Code, e.RetryAfter
	}
	r := refusalOf(kind, code)
	d := authz.Decision{Kind: r.kind, Status: r.status, Reasons: []authz.Reason{r.reason}, Cause: err}
	if e != nil {
		d.Status, d.Body = cmp.Or(e.Status, d.Status), e.Body
	}
	if r.challenge != nil && d.Body == nil {
		d.Headers = p.challenge(*r.challenge, to)
	}
	if d.Status == http.StatusMethodNotAllowed { // RFC 9110 section 15.5.6
		d.Headers = []authz.Header{{Name: "Allow", Values: []string{http.MethodPost}}}
	}
	if kind == authz.Unavailable {
		d.Headers = []authz.Header{{Name: "Retry-After", Values: []string{wholeSeconds(retryAfter)}}}
	}
	return p.withDPoPHeaders(d, to.scheme)
}

// refuseForServer is refuse for what the authorization server kept from being decided. One that refuses the sidecar's
// own credentials may accept them again without the caller doing anything, so that Misconfigured is 503 and not 500.
func (p *Point) refuseForServer(err error, to *client) authz.Decision {
	d := p.refuse(err, to)
	if d.Kind == authz.Misconfigured {
		d.Status = http.StatusServiceUnavailable
	}
	return d
}

// refusal is what the caller is told of a request that was not decided.
type refusal struct {
	kind   authz.Kind
	status int
	reason authz.Reason
	// challenge is nil where none is sent.
	challenge *authz.Challenge
}

// refusalOf maps the kind and the code of an error.
func refusalOf(kind authz.Kind, code string) refusal {
	switch kind {
	case authz.Unauthenticated:
		return unauthenticated(code)
	case authz.Malformed:
		if code == crossOrigin {
			return refusal{kind, http.StatusForbidden, authz.Reason{Code: crossOrigin,
				Message: "a cookie is no credential for a request of another origin"}, nil}
		}
		return refusal{kind, http.StatusBadRequest,
			authz.Reason{Code: invalidRequest, Message: "the request or its credential is malformed"},
			&authz.Challenge{Error: invalidRequest}}
	case authz.Unavailable:
		if code == tooMany {
			return refusal{kind, http.StatusTooManyRequests,
				authz.Reason{Code: tooMany, Message: "rate limited: too many unknown tokens"}, nil}
		}
		if code == PolicyStale {
			return refusal{kind, http.StatusServiceUnavailable,
				authz.Reason{Code: PolicyStale, Message: "the policies are too old to decide by; retry later"}, nil}
		}
		return refusal{kind, http.StatusServiceUnavailable,
			authz.Reason{Code: unavailable, Message: "the authorization server is unavailable; retry later"}, nil}
	case authz.Misconfigured:
		return refusal{kind, http.StatusInternalServerError,
			authz.Reason{Code: misconfigured, Message: "the sidecar is misconfigured; report the decision id"}, nil}
	default:
		return refusal{authz.Internal, http.StatusInternalServerError,
			authz.Reason{Code: internalError, Message: "the sidecar failed; report the decision id"}, nil}
	}
}

// unauthenticated is a 401. Why the token may not be used is for operators: only what the client can repair by itself
// has a code of its own.
func unauthenticated(code string) refusal {
	r := refusal{kind: authz.Unauthenticated, status: http.StatusUnauthorized}
	switch code {
	case noCredential: // BR-3: a request without a token is told no error
		r.reason = authz.Reason{Code: noCredential, Message: "the request carries no token"}
		r.challenge = &authz.Challenge{}
	case invalidProof:
		r.reason = authz.Reason{Code: invalidProof, Message: "the proof of possession may not be used"}
		r.challenge = &authz.Challenge{Error: invalidProof}
	case useNonce:
		r.reason = authz.Reason{Code: useNonce, Message: "the proof of possession needs a nonce of this server"}
		r.challenge = &authz.Challenge{Error: useNonce, ErrorDescription: "the proof needs a nonce of this server"}
	default:
		r.reason = authz.Reason{Code: invalidToken, Message: "the token may not be used"}
		r.challenge = &authz.Challenge{Error: invalidToken}
	}
	return r
}

// reasons401 are the reasons why a request has no usable token: a closed set, for a metric and the decision log.
func reasons401() []string {
	reasons := []string{noCredential, unproved, invalidProof, useNonce, otherReason}
	for _, r := range authz.UnusableReasons() {
		reasons = append(reasons, string(r))
	}
	return reasons
}

const (
	// unproved is a token that is bound to a key, which the client did not show; or one that must be bound, and is
	// not.
	unproved    = "unproved"
	otherReason = "other"
)

// reasonFor401 is the one of reasons401 that cause is. Callers are not told: by it they could try out tokens.
func reasonFor401(cause error) string {
	e, ok := errors.AsType[*authz.Error](cause)
	switch {
	case !ok:
		return otherReason
	case e.Unusable != "":
		return string(e.Unusable)
	case e.Code == invalidToken: // of the verifier of possession
		return unproved
	case e.Code == noCredential || e.Code == invalidProof || e.Code == useNonce:
		return e.Code
	}
	return otherReason
}

// wholeSeconds is d rounded up to seconds, at least one, as Retry-After has it.
func wholeSeconds(d time.Duration) string {
	return strconv.Itoa(max(1, int((d+time.Second-1)/time.Second)))
}
