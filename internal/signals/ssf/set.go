package ssf

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/signals"
)

// setError is why a security event token is refused, as the transmitter is told: RFC 8935 section 2.4.
type setError struct{ code, description string }

func (e *setError) Error() string { return "check security event token: " + e.description }

const (
	codeRequest        = "invalid_request"
	codeKey            = "invalid_key"
	codeIssuer         = "invalid_issuer"
	codeAudience       = "invalid_audience"
	codeAuthentication = "authentication_failed"
	codeState          = "invalid_state"
)

// maxEventsOfSet bounds one token. Profiles allow one event; the format itself sets no limit.
const maxEventsOfSet = 16

// set is a verified security event token (RFC 8417).
type set struct {
	id      string
	at      time.Time // of the events, unless they say otherwise
	subject jsontext.Value
	events  jose.Claims
}

// verifier says what a security event token must match.
type verifier struct {
	issuer     string
	audience   []string
	algorithms []string
	keys       jose.KeySource
	now        func() time.Time
}

// verify returns a set, a *setError, or an *authz.Error when the keys are not available (SET-1, SET-2, SET-4).
func (v verifier) verify(ctx context.Context, raw string) (set, error) {
	expect := jose.Expect{Types: []string{"secevent+jwt"}, Algorithms: v.algorithms, MaxBytes: signals.MaxTokenBytes}
	t, err := jose.Verify(ctx, raw, expect, v.keys)
	switch {
	case err == nil:
	case signals.IsUnavailable(err):
		return set{}, err
	case errors.Is(err, jose.ErrAlgorithm), errors.Is(err, jose.ErrNoKey), errors.Is(err, jose.ErrSignature):
		const cause = "it is not signed with a key of the transmitter, or not by an accepted algorithm"
		return set{}, &setError{codeKey, cause}
	default:
		return set{}, &setError{codeRequest, "it is no signed token of type secevent+jwt"}
	}
	c, _ := jose.ReadClaims(t.Claims) // it is an object: the token has been verified
	return v.check(c)
}

// check validates the claims by RFC 8417 section 2.2 and SSF 1.0 section 4.1. An optional time that is malformed is
// ignored.
func (v verifier) check(c jose.Claims) (set, error) {
	issued, hasIssued := signals.Time(c, "iat")
	s := set{at: issued, subject: c.Value("sub_id"), events: c.Object("events")}
	if happened, ok := signals.Time(c, "toe"); ok {
		s.at = happened
	}
	issuer, _ := c.Text("iss")
	s.id, _ = c.Name("jti")
	switch {
	case issuer != v.issuer:
		return set{}, &setError{codeIssuer, "it is from another issuer"}
	case !signals.HasAny(c, "aud", v.audience):
		return set{}, &setError{codeAudience, "it is for another audience"}
	case !hasIssued || issued.After(v.now().Add(signals.ClockSkew)):
		return set{}, &setError{codeRequest, "it has no iat, or one in the future"}
	case !signals.IsIdentifier(s.id):
		return set{}, &setError{codeRequest, "it has no usable jti"}
	case c.Has("sub"):
		return set{}, &setError{codeRequest, "it has a sub"}
	case c.Has("exp"):
		return set{}, &setError{codeRequest, "it has an exp"}
	case len(s.events) == 0 || len(s.events) > maxEventsOfSet:
		return set{}, &setError{codeRequest, "it has no events, or too many"}
	}
	for _, e := range s.events {
		if e.Kind() != '{' {
			return set{}, &setError{codeRequest, "an event in it is no object"}
		}
	}
	return s, nil
}

// types are the types of the events of a set, sorted.
func (s set) types() []string {
	var out []string
	for t := range s.events {
		out = append(out, t)
	}
	slices.Sort(out)
	return out
}
