package introspect

import (
	"errors"
	"net/http"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// outage is why a question is not sent: earlier ones found that the server had failed.
type outage struct{ error }

func (o outage) Unwrap() error { return o.error }

// serverFailed reports whether an answer failed to come because the server failed, which is what stale_if_error excuses: no
// answer in time, a connection that broke, a 5xx, or a breaker that one of these opened.
//
// Everything else is no failure of the server. It answered: with 429, with a refusal of our credentials, with what cannot be
// read. Or the sidecar did not ask: max_in_flight questions are under way, there are too many unknown tokens, the breaker has
// just closed, the caller left, the process stops. Those who present a token can bring such a state about, and with it prolong
// the life of a revoked one. A key that was withdrawn takes its tokens along, whatever became of the server since.
func serverFailed(err error) bool {
	if _, gone := errors.AsType[keysUnavailable](err); err == nil || gone || authz.KindOf(err) != authz.Unavailable {
		return false
	}
	if _, ok := errors.AsType[outage](err); ok {
		return true
	}
	f, ok := errors.AsType[*oauth.Failure](err)
	return ok && isOutage(f)
}

// isOutage reports whether an exchange failed as those with a server that is down do.
func isOutage(f *oauth.Failure) bool {
	switch f.Reason {
	case oauth.TimedOut, oauth.Broken:
		return true
	case oauth.Answered:
		return f.Status >= http.StatusInternalServerError
	case oauth.Untrusted, oauth.Canceled:
	}
	return false
}
