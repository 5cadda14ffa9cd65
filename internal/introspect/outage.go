package introspect

import (
	"errors"
	"net/http"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// Outage is why a question is not sent: earlier questions found that the server had failed.
type Outage struct{ Err error }

func (o Outage) Error() string { return o.Err.Error() }
func (o Outage) Unwrap() error { return o.Err }

// KeysUnavailable is why no key was found for a JWT, and why it is unknown whether there is one. Known keys stay in
// use while their server is down: so the key that once verified the token has been withdrawn.
type KeysUnavailable struct{ Err error }

func (k KeysUnavailable) Error() string { return k.Err.Error() }
func (k KeysUnavailable) Unwrap() error { return k.Err }

// ServerFailed reports whether there is no answer because the server failed, which is what stale_if_error excuses: no
// answer in time, a broken connection, a 5xx, or a breaker that one of these opened.
//
// Everything else is no failure of the server. It answered: with 429, with a refusal of the sidecar's credentials,
// with something unreadable. Or the sidecar did not ask: max_in_flight questions are in flight, there are too many
// unknown tokens, the breaker has just closed, the caller left, the process stops. Those who present a token can
// bring such a state about, and would prolong the life of a revoked one by it. A key that was withdrawn takes its
// tokens along, whatever became of the server since.
func ServerFailed(err error) bool {
	if _, gone := errors.AsType[KeysUnavailable](err); err == nil || gone || authz.KindOf(err) != authz.Unavailable {
		return false
	}
	if _, ok := errors.AsType[Outage](err); ok {
		return true
	}
	f, ok := errors.AsType[*oauth.Failure](err)
	return ok && IsOutage(f)
}

// IsOutage reports whether an exchange failed in a way that exchanges with a server that is down do.
func IsOutage(f *oauth.Failure) bool {
	switch f.Reason {
	case oauth.TimedOut, oauth.Broken, oauth.Unserved:
		return true
	case oauth.Answered:
		return f.Status >= http.StatusInternalServerError
	case oauth.Untrusted, oauth.Canceled:
	}
	return false
}
