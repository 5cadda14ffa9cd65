package authz

import (
	"errors"
	"fmt"
	"time"
)

// Kind is the closed set of ways a decision can end.
type Kind uint8

// The kinds. Package decision maps each to one HTTP status.
const (
	Internal        Kind = iota // a bug, or an unclassified error
	Allow                       // the policy allows
	Deny                        // the policy denies
	Unauthenticated             // no token, or a token that may not be used
	Malformed                   // the request cannot be understood
	Unavailable                 // a dependency did not answer in time
	Misconfigured               // the operator must act
)

// Kinds lists every kind.
var Kinds = [...]Kind{Internal, Allow, Deny, Unauthenticated, Malformed, Unavailable, Misconfigured}

// String returns the name of k in the API, the log and the metrics.
func (k Kind) String() string {
	switch k {
	case Allow:
		return "allow"
	case Deny:
		return "deny"
	case Unauthenticated:
		return "unauthenticated"
	case Malformed:
		return "malformed"
	case Unavailable:
		return "unavailable"
	case Misconfigured:
		return "misconfigured"
	case Internal:
	}
	return "internal"
}

// Error is an error with a Kind, and with what the caller may be told.
type Error struct {
	Kind Kind
	// Code is the reason code the caller sees; empty means the usual one of Kind.
	Code string
	// Unusable is why the token of an Unauthenticated request must not be used, or empty: for operators only.
	Unusable UnusableReason
	// Status is the HTTP status of the refusal, 400..499, where it is not the usual one of Kind; 0 mostly.
	Status int
	// Body is JSON that the client should get instead of the door's own body; nil mostly.
	Body []byte
	// RetryAfter is how long the caller should wait before it asks again; 0 when that is not known.
	RetryAfter time.Duration
	// Err is the cause, for operators only.
	Err error
}

// Errorf makes an error of a kind.
func Errorf(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Err: fmt.Errorf(format, args...)}
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// KindOf reports the kind of err; an unknown error is Internal.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}
