// Package decision turns one access question into one decision.
//
// Read Point.decide first: it is the whole request path, in order.
package decision

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
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
)

// Snapshot is everything a decision depends on that a reload can replace. It is immutable, its counters aside: a reload
// stores a new one.
type Snapshot struct {
	// Introspector may be nil; then every request with a token is Misconfigured.
	Introspector introspect.Introspector
	Policy       *engine.Policy

	evaluations, misconfigured atomic.Uint64
}

// PossessionVerifier verifies that clients hold the keys that their tokens are bound to. See proof.Verifier.
type PossessionVerifier interface {
	// Verify reports why a token with this confirmation must not be used with q, or nil: then it is bound to nothing, or to a
	// key that the client showed.
	Verify(c authz.Confirmation, cred token.Credential, q *authz.Query, now time.Time) error
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
	// refusals limit what is logged about decisions that no policy made, by kind.
	refusals map[authz.Kind]*rate.Sometimes
}

// New returns a point that decides by s.
func New(cfg Config, s *Snapshot, deps Deps) *Point {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Proofs == nil {
		deps.Proofs = (*proof.Verifier)(nil)
	}
	p := &Point{cfg: cfg, deps: deps, counts: newCounts(deps.Metrics), refusals: map[authz.Kind]*rate.Sometimes{}}
	for _, k := range authz.Kinds {
		p.refusals[k] = &rate.Sometimes{First: 1, Interval: time.Second}
	}
	p.snap.Store(s)
	return p
}

// Swap makes s the snapshot of every later decision and returns the old one.
func (p *Point) Swap(s *Snapshot) *Snapshot { return p.snap.Swap(s) }

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
	return p.decideBy(ctx, snap, snap.Policy, &q)
}

// Explain decides q like Decide, slowly, and says why.
func (p *Point) Explain(ctx context.Context, q authz.Query) (authz.Decision, engine.Explanation) {
	snap := p.snap.Load()
	e := &explainer{policy: snap.Policy}
	return p.decideBy(ctx, snap, e, &q), e.said
}

// evaluator asks a policy.
type evaluator interface {
	Eval(ctx context.Context, q engine.Question) (engine.Result, error)
}

type explainer struct {
	policy *engine.Policy
	said   engine.Explanation
}

func (e *explainer) Eval(ctx context.Context, q engine.Question) (result engine.Result, err error) {
	result, e.said, err = e.policy.Explain(ctx, q)
	return result, err
}

func (p *Point) decideBy(ctx context.Context, snap *Snapshot, policy evaluator, q *authz.Query) authz.Decision {
	now := p.deps.Now()
	if q.Entrypoint == "" {
		q.Entrypoint = p.cfg.Entrypoint
	}
	rec := &decisionlog.Record{
		DecisionID: ulid.MustNew(ulid.Timestamp(now), rand.Reader).String(), Time: now, Path: q.Entrypoint, RequestedBy: q.Caller,
		Bundles: snap.Policy.Revisions(), PolicyDigest: snap.Policy.Digest(), Introspection: decisionlog.None,
	}
	if snap.Policy.Masks() {
		rec.Masker = snap.Policy
	}
	ctx, span := p.deps.Tracer.Start(ctx, "decision", telemetry.Within)
	defer span.End()
	rec.TraceID, rec.SpanID = span.IDs()
	d := p.guarded(ctx, snap, policy, q, rec)
	span.SetString("sidecar.decision_id", rec.DecisionID)
	span.SetString("sidecar.kind", d.Kind.String())
	d.ID = rec.DecisionID
	d.Policy = authz.PolicyRef{Path: q.Entrypoint, Revision: snap.Policy.Revision(), Digest: snap.Policy.Digest()}
	p.finish(rec, &d)
	return d
}

// guarded keeps a bug in one decision from being anything but that decision's refusal.
func (p *Point) guarded(ctx context.Context, snap *Snapshot, policy evaluator, q *authz.Query, rec *decisionlog.Record) (d authz.Decision) {
	defer func() {
		if r := recover(); r != nil {
			p.deps.Log.Error("decision panicked", "decision_id", rec.DecisionID, "panic", described(r), "stack", string(debug.Stack()))
			d = p.refuse(authz.Errorf(authz.Internal, "decide: panic"), "")
		}
	}()
	return p.decide(ctx, snap, policy, q, rec)
}

// described names a panic without quoting it: only the runtime is known not to put a token into one.
func described(panicked any) string {
	if e, ok := panicked.(runtime.Error); ok {
		return e.Error()
	}
	return fmt.Sprintf("a %T", panicked)
}

// decide is the request path.
func (p *Point) decide(ctx context.Context, snap *Snapshot, policy evaluator, q *authz.Query, rec *decisionlog.Record) authz.Decision {
	asked, err := p.deps.Input.Query(q)
	if err != nil {
		return p.refuse(err, "")
	}
	cred, err := token.Extract(token.Sources{Header: q.Request.Headers["authorization"], Elsewhere: asked.Request.OtherTokens, Explicit: q.Token})
	if err != nil {
		return p.refuse(err, cred.Scheme)
	}
	var doc *input.Document
	if cred.Present() {
		claims, err := p.claims(ctx, snap, introspect.Question{
			Token: cred.Token, Host: asked.Request.Host, Headers: q.Request.Headers, Source: asked.Request.SourceIP,
			Freshness: snap.Policy.Freshness(q.Entrypoint),
		}, rec)
		if err != nil {
			return p.refuseForServer(err, cred.Scheme)
		}
		// After any cache, on every request: what was true when it was fetched need not be true now, and who showed the key
		// with the last request need not have it with this one (DPOP-23).
		if err := p.usable(claims, cred, q); err != nil {
			return p.refuse(err, cred.Scheme)
		}
		asked, err := asked.WithoutToken(secret.NewHider(cred.Token))
		if err != nil {
			return p.refuse(err, cred.Scheme)
		}
		presented := input.Presented{Scheme: string(cred.Scheme), Verified: claims.Confirmation.Bound()}
		doc = input.Build(asked, claims, presented, rec.Time)
	} else {
		if p.cfg.Token != "optional" {
			return p.refuse(&authz.Error{Kind: authz.Unauthenticated, Code: noCredential, Err: fmt.Errorf("read credential: the request has none")}, "")
		}
		doc = input.Anonymous(asked)
	}
	rec.Input = doc

	begun := time.Now()
	var verdict *authz.Verdict
	result, err := policy.Eval(ctx, engine.Question{Entrypoint: q.Entrypoint, Document: doc, Time: rec.Time, Seed: rec.DecisionID})
	if err == nil {
		rec.Result = result
		verdict, err = result.Verdict()
	}
	rec.Eval = time.Since(begun)
	p.counts.evaluated(snap, rec.Eval, err)
	if err != nil {
		return p.refuse(err, cred.Scheme)
	}
	if verdict.Allow {
		if err := input.CheckShadows(q.Request.Headers, verdict.UpstreamHeaders); err != nil {
			return p.refuse(err, cred.Scheme)
		}
	}
	return p.decided(verdict, cred.Scheme)
}

// claims asks what is known about the token of a request.
func (p *Point) claims(ctx context.Context, snap *Snapshot, q introspect.Question, rec *decisionlog.Record) (*authz.Claims, error) {
	begun := time.Now()
	ctx, span := p.deps.Tracer.Start(ctx, "introspect", telemetry.Calling)
	defer span.End()
	if snap.Introspector == nil {
		return nil, authz.Errorf(authz.Misconfigured, "introspect: there is no authorization server to ask")
	}
	claims, err := snap.Introspector.Introspect(ctx, q)
	rec.Introspect = time.Since(begun)
	rec.Introspection = decisionlog.Miss
	if err != nil {
		span.Fail(err)
		return nil, err
	}
	if claims.Fetched.Before(rec.Time) {
		rec.Introspection = decisionlog.Hit
	}
	return claims, nil
}

// usable reports why a token must not be used with this request. A token that is bound to a key is refused unless its
// client shows the key with the request (RFC 9449 section 7.2, RFC 8705 section 3). That is asked last: a proof is good
// once, and a token that is of no use burns none.
func (p *Point) usable(c *authz.Claims, cred token.Credential, q *authz.Query) error {
	now := p.deps.Now()
	if why := c.Usable(now); why != "" {
		return &authz.Error{Kind: authz.Unauthenticated, Err: fmt.Errorf("check token: it %s", why)}
	}
	return p.deps.Proofs.Verify(c.Confirmation, cred, q, now)
}

// finish tells everybody who wants to know.
func (p *Point) finish(rec *decisionlog.Record, d *authz.Decision) {
	rec.Kind, rec.Status, rec.Reasons, rec.Cause = d.Kind, d.Status, d.Reasons, d.Cause
	rec.Total = p.deps.Now().Sub(rec.Time)
	p.counts.decided(d.Kind, rec.Total)
	switch d.Kind {
	case authz.Misconfigured, authz.Internal, authz.Unavailable:
		// One line a second and kind: an outage under load must not drown everything else. The decision log has them all.
		// Sometimes holds a lock meanwhile: nothing is written under it.
		due := false
		p.refusals[d.Kind].Do(func() { due = true })
		if due {
			p.deps.Log.Error("decision refused", "decision_id", d.ID, "kind", d.Kind.String(), "path", rec.Path, "cause", d.Cause)
		}
	case authz.Allow, authz.Deny, authz.Unauthenticated, authz.Malformed:
	}
	p.deps.DecisionLog.Write(rec)
}
