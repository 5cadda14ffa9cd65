package events

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jose"
)

// fault is why a security event token is not taken, as its transmitter is told: RFC 8935 section 2.4.
type fault struct{ code, why string }

func (f *fault) Error() string { return "check security event token: " + f.why }

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

// set is a security event token that its transmitter signed, and that is for us (RFC 8417).
type set struct {
	id      string
	at      time.Time // of the events, unless they say otherwise
	subject jsontext.Value
	events  jose.Claims
}

// verifier is what a security event token is held against.
type verifier struct {
	issuer     string
	audience   []string
	algorithms []string
	keys       jose.KeySource
	now        func() time.Time
}

// verify returns a set, a *fault, or an *authz.Error when nobody could tell (SET-1, SET-2, SET-4).
func (v verifier) verify(ctx context.Context, raw string) (set, error) {
	t, err := jose.Verify(ctx, raw, jose.Expect{Types: []string{"secevent+jwt"}, Algorithms: v.algorithms, MaxBytes: maxTokenBytes}, v.keys)
	switch {
	case err == nil:
	case unavailable(err):
		return set{}, err
	case errors.Is(err, jose.ErrAlgorithm), errors.Is(err, jose.ErrNoKey), errors.Is(err, jose.ErrSignature):
		return set{}, &fault{codeKey, "it is not signed with a key of the transmitter, or not by an accepted algorithm"}
	default:
		return set{}, &fault{codeRequest, "it is no signed token of type secevent+jwt"}
	}
	c, _ := jose.ReadClaims(t.Claims) // it is an object: the token has been verified
	return v.check(c)
}

// check holds the claims against RFC 8417 section 2.2 and SSF 1.0 section 4.1. A time that is not needed may be unreadable.
func (v verifier) check(c jose.Claims) (set, error) {
	issued, hasIssued := moment(c, "iat")
	s := set{at: issued, subject: c.Value("sub_id"), events: c.Object("events")}
	if happened, ok := moment(c, "toe"); ok {
		s.at = happened
	}
	issuer, _ := c.Text("iss")
	s.id, _ = c.Name("jti")
	switch {
	case issuer != v.issuer:
		return set{}, &fault{codeIssuer, "it is from another issuer"}
	case !anyOf(c, "aud", v.audience):
		return set{}, &fault{codeAudience, "it is for another audience"}
	case !hasIssued || issued.After(v.now().Add(leeway)):
		return set{}, &fault{codeRequest, "it has no iat, or one in the future"}
	case !identifier(s.id):
		return set{}, &fault{codeRequest, "it has no usable jti"}
	case c.Has("sub"):
		return set{}, &fault{codeRequest, "it has a sub"}
	case c.Has("exp"):
		return set{}, &fault{codeRequest, "it has an exp"}
	case len(s.events) == 0 || len(s.events) > maxEventsOfSet:
		return set{}, &fault{codeRequest, "it has no events, or too many"}
	}
	for _, e := range s.events {
		if e.Kind() != '{' {
			return set{}, &fault{codeRequest, "an event in it is no object"}
		}
	}
	return s, nil
}

// types are the events of a set in an order that is always the same.
func (s set) types() []string {
	var out []string
	for t := range s.events {
		out = append(out, t)
	}
	slices.Sort(out)
	return out
}
