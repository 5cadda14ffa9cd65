// Package forwardauth is the door for gateways that ask about a request by a request of their own: auth_request of
// nginx, forwardAuth of Traefik, forward_auth of Caddy, a script of HAProxy, and ext_authz of Envoy over HTTP.
//
// A check is answered 200 for an allow, and for nothing else: no answer redirects, and no path of a check is cleaned
// or routed, as a gateway would hand the result to its client.
package forwardauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
)

// Point decides.
type Point interface {
	Decide(ctx context.Context, q authz.Query) authz.Decision
	// Callable reports whether callers may name an entrypoint.
	Callable(entrypoint string) bool
}

// Deps are what the door works with.
type Deps struct {
	Point Point
	// Log gets why a check was refused without a decision.
	Log *slog.Logger
	// Outcomes counts the checks of all listeners.
	Outcomes *door.Checks
	// Tracer continues the traces of calls; nil when traces are off.
	Tracer *telemetry.Tracer
}

// undecided is why checks of this door have no decision.
func undecided() []door.Undecided {
	return []door.Undecided{door.NoKey, door.TooManyCalls, door.MisconfiguredGateway, door.Unreadable, door.TooLarge,
		door.Failed,
		door.Unfulfilled}
}

// NewOutcomes counts the checks of all listeners, and shows the counts at r; nil counts for itself.
func NewOutcomes(r metrics.Registerer) *door.Checks {
	return door.NewChecks(r, "sidecar_door_forwardauth_checks_total",
		"Checks of gateways, by the kind of the decision, or by why there is none.", undecided()...)
}

// Open opens the listener that cfg names.
func Open(cfg Config, deps Deps, on listen.Deps) (*listen.HTTP, error) {
	guard, err := listen.NewGuard(cfg.Config, on)
	if err != nil {
		return nil, err
	}
	if !deps.Point.Callable(cfg.Entrypoint) {
		return nil, fmt.Errorf("%s: no policy may be asked as %q", on.Key("entrypoint"), cfg.Entrypoint)
	}
	return listen.OpenHTTP(cfg.Config, &checks{cfg: newReader(cfg), deps: deps, guard: guard, listener: on.Name,
		complaints: door.NewComplaints(deps.Log, undecided()...)}, on)
}

// checks serves the checks of a listener.
type checks struct {
	cfg        *reader
	deps       Deps
	guard      *listen.Guard
	listener   string
	complaints *door.Complaints
}

// ServeHTTP answers one check. A panic refuses this one check.
func (c *checks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			c.deps.Log.Error("check panicked", "panic", fmt.Sprintf("a %T", p), "stack", string(debug.Stack()))
			c.refuse(w, r, door.Failed)
		}
	}()
	timed := door.WithTimeout(r.Context(), c.cfg.Limits.Timeout)
	defer timed.End()
	var ctx context.Context = timed
	if c.deps.Tracer != nil {
		ctx = c.deps.Tracer.Extract(ctx, r.Header.Get)
		var span telemetry.Span
		ctx, span = c.deps.Tracer.Start(ctx, "forward_auth "+string(c.cfg.Profile), telemetry.Serving)
		defer span.End()
	}
	if r.ContentLength != 0 && !c.cfg.Profile.sendsBody() && r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close") // what follows may be no body
	}
	if err := c.admit(r); err != nil {
		c.refuseCaller(w, r, err)
		return
	}
	q, err := c.cfg.query(r)
	switch {
	case errors.Is(err, errTooLarge):
		c.complain(door.TooLarge, err, r)
		c.refuse(w, r, door.TooLarge)
		return
	case errors.Is(err, errForm):
		c.complain(door.Unreadable, err, r)
		c.refuse(w, r, door.Unreadable)
		return
	case err != nil:
		c.complain(door.MisconfiguredGateway, err, r)
		c.refuse(w, r, door.MisconfiguredGateway)
		return
	}
	d := c.deps.Point.Decide(ctx, q)
	if door.Unhonoured(&d) {
		c.deps.Log.Error("a decision cannot be carried out by a gateway: the request is refused",
			"decision_id", d.ID, "cause", "honour obligations of the result: gateways honour none")
		c.refuse(w, r, door.Unfulfilled)
		return
	}
	c.deps.Outcomes.Decided(d.Kind)
	c.cfg.answer(w, r, &d)
}

// admit returns why the gateway may not ask: see listen.Guard.
func (c *checks) admit(r *http.Request) error {
	shown := ""
	if keys := r.Header[c.cfg.key]; len(keys) == 1 {
		shown = "Bearer " + keys[0]
	}
	return c.guard.AdmitCall(r, shown)
}

// refuseCaller answers a check of a gateway that is not admitted.
func (c *checks) refuseCaller(w http.ResponseWriter, r *http.Request, err error) {
	if over, ok := errors.AsType[*listen.OverLimit](err); ok {
		c.deps.Outcomes.Undecided(door.TooManyCalls)
		c.cfg.answer(w, r, door.Limited(over))
		return
	}
	c.complain(door.NoKey, fmt.Errorf("%w: have the gateway send it in %s", err, c.cfg.KeyHeader), r)
	c.refuse(w, r, door.NoKey)
}

// refuse answers without a decision.
func (c *checks) refuse(w http.ResponseWriter, r *http.Request, why door.Undecided) {
	c.deps.Outcomes.Undecided(why)
	c.cfg.answer(w, r, why.Decision())
}

// complain tells the log once in a while.
func (c *checks) complain(why door.Undecided, cause error, r *http.Request) {
	c.complaints.About(why, cause, r.RemoteAddr, "listener", c.listener)
}
