// Package decision turns one access question into one decision.
//
// Read Point.decide first: it is the whole request path, in order.
package decision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
	"github.com/authz-sidecar/sidecar/internal/token"
	"github.com/authz-sidecar/sidecar/internal/upstreamtoken"
)

// Snapshot is everything a decision depends on that a reload can replace. It is immutable, its counters aside: a
// reload stores a new one.
type Snapshot struct {
	// Introspector may be nil; then every request with a token is Misconfigured.
	Introspector introspect.Introspector
	Policy       *engine.Policy

	evaluations, misconfigured atomic.Uint64
}

// PossessionVerifier verifies that clients hold the keys that their tokens are bound to. See proof.Verifier.
type PossessionVerifier interface {
	// Verify reports why a token with this confirmation must not be used with q, or nil: then it is bound to nothing,
	// or to a key that the client showed. The use of a proof is ended with the request.
	Verify(c authz.Confirmation, cred token.Credential, q *authz.Query, now time.Time) (*proof.Use, error)
	// Look reports what Verify would, and leaves the proof for the request itself.
	Look(c authz.Confirmation, cred token.Credential, q *authz.Query, now time.Time) error
	// Presentation returns how tokens may be presented, for challenges.
	Presentation() proof.Presentation
	// ResponseHeaders returns the further header fields of a response to a client that uses DPoP.
	ResponseHeaders(now time.Time) []authz.Header
}

// Deps are what a Point works with.
type Deps struct {
	// Input says what of a request policies see.
	Input *input.Rules
	// Proofs checks possession; nil refuses every token that is bound to a key.
	Proofs PossessionVerifier
	// DecisionLog gets every decision; nil keeps no log.
	DecisionLog *decisionlog.Log
	// Metrics is where decisions and evaluations are counted; nil counts for itself.
	Metrics metrics.Registerer
	// Log gets the causes of decisions that no policy made.
	Log *slog.Logger
	// Observer is told of every decision; nil costs nothing.
	Observer Observer
	// Places are where further credentials may be, by the configuration of their issuers.
	Places []authz.Place
	// UpstreamTokens sign the identity that an allow hands to the upstream; nil hands none.
	UpstreamTokens *upstreamtoken.Issuer
	// Tracer makes spans; nil makes none.
	Tracer *telemetry.Tracer
	// Now is the clock; nil is the machine's.
	Now func() time.Time
}

// Point is the policy decision point. It is safe for concurrent use.
type Point struct {
	cfg    Config
	deps   Deps
	counts counts
	snap   atomic.Pointer[Snapshot]
	// withheld is why nothing is decided now; nil mostly.
	withheld atomic.Pointer[error]
	// refusals limit what is logged about decisions that no policy made, by kind.
	refusals map[authz.Kind]*rate.Sometimes
	// identity are the headers of every allow, without values.
	identity []authz.Header
	// begun is when the Point was made, and since is time.Since by the clock of deps. Time that has passed costs one
	// reading of the steady clock, and a time.Now one of each clock.
	begun time.Time
	since func(time.Time) time.Duration
}

// New returns a point that decides by s.
func New(cfg Config, s *Snapshot, deps Deps) *Point {
	since := time.Since
	if deps.Now == nil {
		deps.Now = time.Now
	} else {
		since = func(t time.Time) time.Duration { return deps.Now().Sub(t) }
	}
	if deps.Proofs == nil {
		deps.Proofs = (*proof.Verifier)(nil)
	}
	p := &Point{cfg: cfg, deps: deps, begun: time.Now(), since: since, counts: newCounts(deps.Metrics),
		refusals: map[authz.Kind]*rate.Sometimes{}, identity: emptyHeaders(cfg.UpstreamHeaders)}
	for _, k := range authz.Kinds {
		p.refusals[k] = &rate.Sometimes{First: 1, Interval: time.Second}
	}
	p.snap.Store(s)
	return p
}

// Swap makes s the snapshot of every later decision and returns the old one.
func (p *Point) Swap(s *Snapshot) *Snapshot { return p.snap.Swap(s) }

// Withhold refuses every later decision because of err, until it is called with nil.
func (p *Point) Withhold(err error) {
	if err == nil {
		p.withheld.Store(nil)
		return
	}
	p.withheld.Store(&err)
}

// Snapshot returns the snapshot that the next decision will use.
func (p *Point) Snapshot() *Snapshot { return p.snap.Load() }

// Callable reports whether an entrypoint may be asked. The empty one is the configured default.
func (p *Point) Callable(entrypoint string) bool {
	return entrypoint == "" || p.snap.Load().Policy.Has(entrypoint)
}

// Decide answers q. Every outcome is a Decision: one that could not be made carries the Kind of what stopped it, never
// allows, and is logged like any other.
func (p *Point) Decide(ctx context.Context, q authz.Query) authz.Decision {
	snap := p.snap.Load() // once: a request sees one generation
	return p.decideBy(ctx, &q, pending{snap: snap, introspector: snap.Introspector, policy: snap.Policy})
}

// elapsed is how long p exists.
func (p *Point) elapsed() time.Duration { return time.Since(p.begun) }

// decideBy decides about query by what asking says besides.
func (p *Point) decideBy(ctx context.Context, query *authz.Query, asking pending) authz.Decision {
	w := works.Get().(*work)
	defer w.end()
	w.query, w.pending = *query, asking
	q := &w.pending
	q.Query, q.client = &w.query, &w.client
	now, snap := p.deps.Now(), q.snap
	switch {
	case q.asked != nil:
		q.Entrypoint = strings.Join(q.asked.Path, "/")
	case q.Entrypoint == "":
		q.Entrypoint = p.cfg.Entrypoint
	}
	rec := &decisionlog.Record{
		DecisionID: newID(now), Time: now,
		Path: q.Entrypoint, RequestedBy: q.Caller,
		Bundles: snap.Policy.Bundles(), PolicyDigest: snap.Policy.Digest(), Introspection: decisionlog.None,
		Type: q.kind,
	}
	if snap.Policy.Masks() {
		rec.Masker = snap.Policy
	}
	ctx, span := p.deps.Tracer.Start(ctx, "decision", telemetry.Within)
	defer span.End()
	rec.TraceID, rec.SpanID = span.IDs()
	q.rec = rec
	if p.deps.Observer != nil && !q.unrecorded && q.kind == "" {
		q.seen = &w.seen
	}
	d := p.guarded(ctx, q)
	// A caller who only closed its side of the connection still reads the answer: with a proof that may be shown again
	// comes no allow.
	switch use := q.client.use; {
	case !errors.Is(ctx.Err(), context.Canceled):
		use.Keep()
	case use.Release():
		d = p.refuse(authz.Errorf(authz.Unavailable, "decide: the caller is gone"), q.client)
	}
	q.client.complete(&d, rec.DecisionID)
	span.SetString("sidecar.decision_id", rec.DecisionID)
	span.SetString("sidecar.kind", d.Kind.String())
	d.ID, d.Eval = rec.DecisionID, rec.Eval
	d.Policy = snap.Policy.Ref(q.Entrypoint)
	if !q.unrecorded {
		p.finish(rec, &d)
	}
	if q.seen != nil {
		p.tellObserver(q, d)
	}
	return d
}

// guarded is decide, which a panic makes an internal refusal of this one query.
func (p *Point) guarded(ctx context.Context, q *pending) (d authz.Decision) {
	defer func() {
		if r := recover(); r != nil {
			p.deps.Log.Error("decision panicked",
				"decision_id", q.rec.DecisionID, "panic", described(r), "stack", string(debug.Stack()))
			d = p.refuse(authz.Errorf(authz.Internal, "decide: panic"), &client{})
		}
	}()
	if q.asked != nil {
		return p.ask(ctx, q)
	}
	return p.decide(ctx, q)
}

// described names a panic. Only the text of the runtime's own is known to hold no token.
func described(panicked any) string {
	if e, ok := panicked.(runtime.Error); ok {
		return e.Error()
	}
	return fmt.Sprintf("a %T", panicked)
}

// decide is the request path.
func (p *Point) decide(ctx context.Context, q *pending) authz.Decision {
	if why := p.withheld.Load(); why != nil {
		return p.refuse(*why, q.client)
	}
	asked, err := p.deps.Input.Query(q.Query)
	q.client.resource, q.client.message = asked.Of, asked.MCP
	if err != nil {
		return p.refuse(err, q.client)
	}
	cred, from, err := p.credential(q.Query, &asked)
	q.client.scheme = cred.Scheme
	if err != nil {
		return p.refuse(err, q.client)
	}
	q.seen.saw(cred)
	var doc *input.Document
	switch {
	case cred.Present():
		claims, err := p.claims(ctx, q, introspect.Question{
			Token: cred.Token, Host: asked.Request.Host, Headers: q.Request.Headers, From: from,
			Source: asked.Request.SourceIP, Freshness: q.snap.Policy.Freshness(q.Entrypoint),
		})
		if err != nil {
			return p.refuseForServer(err, q.client)
		}
		q.seen.learnt(claims)
		if err := q.client.learn(claims); err != nil {
			return p.refuse(err, q.client)
		}
		// After any cache, on every request: a token may have expired since its claims were fetched, and the client of
		// this request may lack the key that the client of the last one showed (DPOP-23).
		if err := p.usable(ctx, claims, cred, q); err != nil {
			return p.refuse(err, q.client)
		}
		asked, err := asked.WithoutToken(secret.NewHider(cred.Token))
		if err != nil {
			return p.refuse(err, q.client)
		}
		presented := input.Presented{Scheme: string(cred.Scheme), Verified: claims.Confirmation.Bound()}
		doc = input.Build(asked, claims, presented, q.rec.Time)
	case cmp.Or(q.Tokens, p.cfg.Token) == authz.TokenOptional:
		doc = input.Anonymous(asked)
	default:
		return p.refuse(errNoCredential, q.client)
	}
	q.rec.Input = doc

	verdict, err := p.evaluate(ctx, q, doc)
	if err != nil {
		return p.refuse(err, q.client)
	}
	d := p.decided(verdict, q.client)
	if err := p.addUpstreamToken(&d, verdict, q); err != nil {
		return p.refuse(err, q.client)
	}
	if err := input.CheckShadows(q.Request.Headers, d.UpstreamHeaders); err != nil {
		return p.refuse(err, q.client)
	}
	return d
}

// errNoCredential is why a request without a token is refused where decision.token is required.
var errNoCredential = &authz.Error{
	Kind: authz.Unauthenticated, Code: noCredential, Err: errors.New("read credential: the request has none"),
}

// claims returns what the authorization server says about the token of a request.
func (p *Point) claims(ctx context.Context, q *pending, about introspect.Question) (*authz.Claims, error) {
	begun := p.elapsed()
	ctx, span := p.deps.Tracer.Start(ctx, "introspect", telemetry.Calling)
	defer span.End()
	if q.introspector == nil {
		return nil, authz.Errorf(authz.Misconfigured, "introspect: there is no authorization server to ask")
	}
	claims, err := q.introspector.Introspect(ctx, about)
	q.rec.Introspect = p.elapsed() - begun
	q.rec.Introspection = decisionlog.Miss
	if err != nil {
		span.Fail(err)
		return nil, err
	}
	if claims.Fetched.Before(q.rec.Time) {
		q.rec.Introspection = decisionlog.Hit
	}
	return claims, nil
}

// usable reports why a token must not be used with this request. A token that is bound to a key is refused unless its
// client shows the key with the request (RFC 9449 section 7.2, RFC 8705 section 3). The key is checked last: a proof
// is good once, and one that comes with an unusable token is not used up. While another request with it is being
// decided, this one waits, and is looked at anew after that.
func (p *Point) usable(ctx context.Context, c *authz.Claims, cred token.Credential, q *pending) (err error) {
	now := p.deps.Now()
	if why := c.Usable(now); !why.OK() {
		return &authz.Error{
			Kind: authz.Unauthenticated, Unusable: why.Reason,
			Err: fmt.Errorf("check token: it %s%s", why, byTheClock(why.Reason, c, now)),
		}
	}
	if q.unrecorded {
		return p.deps.Proofs.Look(c.Confirmation, cred, q.Query, now)
	}
	q.client.use, err = p.deps.Proofs.Verify(c.Confirmation, cred, q.Query, now)
	if other, ok := errors.AsType[*proof.InUse](err); ok && other.Wait(ctx) {
		return p.usable(ctx, c, cred, q)
	}
	return err
}

// byTheClock says how far a token is beyond its time, because the clocks may differ.
func byTheClock(why authz.UnusableReason, c *authz.Claims, now time.Time) string {
	between := func(from, to time.Time) time.Duration { return to.Sub(from).Round(time.Second) }
	switch {
	case why == authz.Expired && c.ExpiresAt > 0:
		return fmt.Sprintf(": its exp was %s ago", between(time.Unix(int64(c.ExpiresAt), 0), now))
	case why == authz.NotYetValid && c.NotBefore > authz.At(now):
		return fmt.Sprintf(": its nbf is in %s", between(now, time.Unix(int64(c.NotBefore), 0)))
	}
	return ""
}

// evaluate asks the policy for its verdict on a document.
func (p *Point) evaluate(ctx context.Context, q *pending, doc *input.Document) (verdict *authz.Verdict, err error) {
	begun := p.elapsed()
	result, err := q.policy.Eval(ctx, engine.Question{
		Entrypoint: q.Entrypoint, Document: doc, Time: q.rec.Time, Seed: q.rec.DecisionID,
	})
	if err == nil {
		q.rec.Result = result.Shared()
		verdict, err = result.Verdict()
	}
	q.rec.Eval = p.elapsed() - begun
	if !q.unrecorded {
		p.counts.evaluated(q.snap, q.rec.Eval, err)
	}
	return verdict, err
}

// finish completes the record of a decision, counts it, and hands the record to the decision log.
func (p *Point) finish(rec *decisionlog.Record, d *authz.Decision) {
	rec.Kind, rec.Status, rec.Reasons, rec.Cause = d.Kind, d.Status, d.Reasons, d.Cause
	rec.Total = p.since(rec.Time)
	p.counts.decided(d.Kind, rec.Total)
	if d.Kind == authz.Unauthenticated {
		rec.Unauthenticated = reasonFor401(d.Cause)
		p.counts.unauthenticated.Inc(rec.Unauthenticated)
	}
	switch d.Kind {
	case authz.Misconfigured, authz.Internal, authz.Unavailable:
		// One line a second and kind: during an outage there is one refusal for each request, and the decision log has
		// them all. Sometimes holds a lock while its function runs, so that the line is written afterwards.
		due := false
		p.refusals[d.Kind].Do(func() { due = true })
		if due {
			p.deps.Log.Error("decision refused",
				"decision_id", d.ID, "kind", d.Kind.String(), "path", rec.Path, "cause", d.Cause)
		}
	case authz.Allow, authz.Deny, authz.Unauthenticated, authz.Malformed:
	}
	p.deps.DecisionLog.Write(rec)
}
