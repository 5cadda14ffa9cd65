package oauth

import (
	"context"
	"errors"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/httpclient"
)

// Failure is an exchange without an answer that can be used. It is the cause inside an *authz.Error, which says what
// follows for the caller; Failure says what happened, so that a caller can decide whether to ask again.
type Failure struct {
	Reason Reason
	// Status is that of the answer; 0 when none came.
	Status int
	// Code is the OAuth error code of the answer (RFC 6749 section 5.2); empty when it has none that is known.
	Code string
	text string
}

func (f *Failure) Error() string { return f.text }

// Reason is how an exchange failed.
type Reason uint8

// The reasons.
const (
	// Answered: there was an answer, and it is a refusal or cannot be read.
	Answered Reason = iota
	// TimedOut: no answer in time.
	TimedOut
	// Broken: no connection, or one that broke off.
	Broken
	// Unserved: the address refused the connection, because nothing listens there.
	Unserved
	// Untrusted: no authority verifies the certificate of the server.
	Untrusted
	// Canceled: the caller ended it, or this machine had no file descriptor or port left for a connection.
	Canceled
)

func reasonOf(kind authz.Kind, err error) Reason {
	var timeout interface{ Timeout() bool }
	switch {
	case kind == authz.Misconfigured:
		return Untrusted
	case errors.Is(err, context.Canceled), httpclient.Exhausted(err):
		return Canceled
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return TimedOut
	case httpclient.ConnectionRefused(err):
		return Unserved
	}
	return Broken
}

// withoutReason drops the Failure from an error of discovery: discovery spaces its own attempts, and its failures say
// nothing about the endpoint that was not found.
func withoutReason(err error) error {
	e, ok := errors.AsType[*authz.Error](err)
	if !ok {
		return err
	}
	return &authz.Error{Kind: e.Kind, Code: e.Code, RetryAfter: e.RetryAfter, Err: errors.New(e.Error())}
}
