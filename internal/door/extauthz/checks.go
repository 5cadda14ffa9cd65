package extauthz

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/door/extauthz/answer"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
)

// checks serves the checks of a door.
type checks struct {
	cfg      Config
	deps     Deps
	guard    *listen.Guard
	calls    *listen.Calls
	outcomes *outcomes
	limited  *door.Complaints
	receptions
}

// serve answers one call. Its error is that of a caller who is gone.
func (c *checks) serve(s grpc.ServerStream) error {
	if !c.calls.Begin() {
		return c.outcomes.counted(door.Stopping).Send(s)
	}
	defer c.calls.End()
	timed := c.timed(s.Context())
	defer timed.End()
	ctx, span := c.traced(timed)
	defer span.End()
	return c.answer(ctx, s).Send(s)
}

// answer is the answer to the check that s brings. A panic refuses this one check.
func (c *checks) answer(ctx context.Context, s grpc.ServerStream) (a answer.Answer) {
	defer func() {
		if r := recover(); r != nil {
			c.deps.Log.Error("check panicked", "panic", fmt.Sprintf("a %T", r), "stack", string(debug.Stack()))
			a = c.outcomes.counted(door.Failed)
		}
	}()
	if err := c.admit(ctx); err != nil {
		if over, ok := errors.AsType[*listen.OverLimit](err); ok {
			return c.outcomes.limited(over)
		}
		return c.refuse(door.NoKey, fmt.Errorf("%w: add it to the initial_metadata of the grpc_service of Envoy, as "+
			"authorization: Bearer KEY", err), caller(ctx))
	}
	in, why, err := c.receive(ctx, s, c.cfg.Limits.ReadTimeout)
	if err != nil {
		return c.refuse(why, err, caller(ctx))
	}
	q, err := query(in.GetAttributes())
	if err != nil {
		return c.refuse(door.Unreadable, err, caller(ctx))
	}
	q.Caller, q.Place = caller(ctx), c.cfg.Credential.Place()
	if q.Entrypoint, err = c.entrypoint(in.GetAttributes().GetContextExtensions()); err != nil {
		return c.refuse(door.NoEntrypoint, err, q.Caller)
	}
	d := c.deps.Point.Decide(ctx, q)
	a, err = reply(d, in.GetAttributes().GetRequest().GetHttp().GetPath())
	if err != nil {
		c.deps.Log.Error("a decision cannot be carried out by Envoy: the request is refused",
			"decision_id", d.ID, "cause", err)
	}
	c.outcomes.decided(d.Kind, a)
	return a
}

// entrypoint is what the check asks, as far as the configuration lets it say so.
func (c *checks) entrypoint(extensions map[string]string) (string, error) {
	asked := c.cfg.Entrypoint
	if c.cfg.EntrypointKey != "" {
		if named, ok := extensions[c.cfg.EntrypointKey]; ok {
			asked = named
			if asked == "" {
				return "", fmt.Errorf("context_extensions.%s is empty", c.cfg.EntrypointKey)
			}
		}
	}
	if !c.deps.Point.Callable(asked) {
		return "", fmt.Errorf("no policy may be asked as %q: /v1/status lists the entrypoints", asked)
	}
	return asked, nil
}

// margin is the share of the caller's time that is left to bring the answer back. After its own time Envoy sees an
// error, which failure_mode_allow lets pass.
const margin = 10

// timed is the context of a call, with the time for its answer.
func (c *checks) timed(ctx context.Context) *door.Timed {
	limit := c.cfg.Limits.Timeout
	if end, ok := ctx.Deadline(); ok {
		left := time.Until(end)
		limit = min(limit, left-left/margin)
	}
	return door.WithTimeout(ctx, limit)
}

// traced is the context of a call in the trace of its caller.
func (c *checks) traced(ctx context.Context) (context.Context, telemetry.Span) {
	if c.deps.Tracer == nil {
		return ctx, telemetry.Span{}
	}
	called := ctx // by itself, as what a function value refers to is allocated
	ctx = c.deps.Tracer.Extract(ctx, func(name string) string { return field(called, name) })
	return c.deps.Tracer.Start(ctx, authv3.Authorization_Check_FullMethodName, telemetry.Serving)
}

// admit returns why the caller may not ask: see listen.Guard.
func (c *checks) admit(ctx context.Context) error {
	if c.guard.Open() {
		return nil
	}
	return c.guard.Admit(connOf(ctx), key(ctx))
}

// field is the one value of a name in the metadata of a call, or "".
func field(ctx context.Context, name string) string {
	if values := metadata.ValueFromIncomingContext(ctx, name); len(values) == 1 {
		return values[0]
	}
	return ""
}

func key(ctx context.Context) string { return field(ctx, "authorization") }

// caller is the address of the caller.
func caller(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ""
	}
	if known, ok := p.AuthInfo.(*origin); ok {
		return known.address
	}
	return p.Addr.String()
}

// refuse is the answer to a check without a decision, of which the log tells once in a while.
func (c *checks) refuse(why door.Undecided, cause error, caller string) answer.Answer {
	c.limited.About(why, cause, caller)
	return c.outcomes.counted(why)
}
