package remote

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/fetch"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// record is what exchanges with the server came to, for the status and the log.
type record struct {
	issuer string
	log    *slog.Logger

	mu                   sync.Mutex // guards what follows
	asked, answered, fit time.Time  // fit is when the last usable answer came
	fault                *status.LastFault
	failingSince         time.Time // zero while the latest exchange brought a usable answer
	logged               time.Time // when the log last said that the server refuses the sidecar
	refusing             bool      // the log has said so, and has not said that it is over
}

// logRefusalsEvery is the least time between two lines of the log about a server that begins to refuse the sidecar:
// one that refuses some questions only would fill the log.
const logRefusalsEvery = time.Minute

func (r *record) sent(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = at
}

// ended records how an exchange ended, and logs when the server begins to refuse the sidecar, and when that is over.
func (r *record) ended(err error) {
	switch r.change(err, time.Now()) {
	case begins:
		r.log.Warn("the authorization server cannot be asked about tokens: requests are misconfigured, 503, unless "+
			"the answer about their token is cached", "issuer", r.issuer, "cause", err)
	case ends:
		r.log.Info("the authorization server can be asked about tokens again", "issuer", r.issuer)
	case stays:
	}
}

// change is what becomes of a refusal of the sidecar by the end of an exchange.
type change uint8

const (
	stays change = iota
	begins
	ends
)

func (r *record) change(err error, now time.Time) change {
	f, failed := errors.AsType[*oauth.Failure](err)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil || failed && f.Reason == oauth.Answered {
		r.answered = now
	}
	if err == nil {
		r.fit, r.failingSince = now, time.Time{}
		if r.refusing {
			r.refusing = false
			return ends
		}
		return stays
	}
	r.fault = fetch.FaultOf(err, now)
	if r.failingSince.IsZero() {
		r.failingSince = now
	}
	if authz.KindOf(err) == authz.Misconfigured && !r.refusing && now.Sub(r.logged) >= logRefusalsEvery {
		r.refusing, r.logged = true, now
		return begins
	}
	return stays
}

// lastFit is when the last usable answer came, as a value of a metric; 0 for never.
func (r *record) lastFit() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fit.IsZero() {
		return 0
	}
	return metrics.Seconds(r.fit)
}

// Status is how questions fare, without breaker and limits, and the fault while the latest one failed.
func (c *Client) Status() (status.Introspection, *status.Fault) {
	r := c.record
	r.mu.Lock()
	defer r.mu.Unlock()
	s := status.Introspection{LastAsked: r.asked, LastAnswered: r.answered, LastFault: r.fault}
	if r.failingSince.IsZero() {
		return s, nil
	}
	return s, &status.Fault{Part: status.PartIntrospection, Kind: r.fault.Kind, Cause: r.fault.Cause,
		Since: r.failingSince}
}
