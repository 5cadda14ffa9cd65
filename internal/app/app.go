// Package app builds a sidecar from its configuration, runs it, reloads its policies and stops it. One list of parts,
// in the order of their dependencies, serves New, Check and the stop.
package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/bundle/source"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/decision/follow"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
	"github.com/authz-sidecar/sidecar/internal/gate"
	"github.com/authz-sidecar/sidecar/internal/gate/stage"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/signals/receivers"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
	"github.com/authz-sidecar/sidecar/internal/upstreamtoken"
)

// Deps is what the process gives the app.
type Deps struct {
	// Version is the version of the sidecar.
	Version string
	// Stdout gets the decision log, when it is configured to go there.
	Stdout io.Writer
	// Log gets the log of operations, and at level debug a line a decision unless Lines gets it.
	Log *slog.Logger
	// Lines gets a line a decision, for people; it may be nil.
	Lines io.Writer
	// Aside starts work that takes long, in a goroutine of its own, while requests are answered; nil starts it as any.
	Aside func(work func())
}

// App is a sidecar that is built and not yet running: its sockets are open, its policies compiled.
type App struct {
	cfg     *config.Config
	deps    Deps
	started time.Time

	metrics     *telemetry.Metrics
	tracer      *telemetry.Tracer
	follower    *follow.Follower // nil when no lines are written
	log         *decisionlog.Log
	issuers     *issuer.Issuers
	signals     *receivers.Receivers // nil when none are configured
	stopSignals func()               // ends the streams of events, and waits for them
	stopWork    func()               // ends the work in the background, and waits for it
	proofs      *proof.Verifier
	identities  *upstreamtoken.Issuer // nil when none are signed
	sources     *source.Sources
	watcher     *dir.Watcher
	loader      *loader
	gates       []stage.Stage
	recent      *decisionlog.Recent // nil unless a gate looks at it
	initial     stage.Policies      // what serves first; empty from then on
	point       *decision.Point
	policy      *policyState
	ready       readiness
	stale       atomic.Pointer[source.Stale] // nil before archives were looked at

	doors   []openDoor
	mounted []door.Mount
	calls   listen.Calls

	stops []stop // in the order in which they were built
}

// step is a part of an App. Steps are built in order; what they opened is closed in the reverse order.
type step struct {
	build func(context.Context) error
	// check fails as build would, and changes nothing outside the process; nil when build itself is such a check.
	check func(context.Context) error
}

// steps are the parts of an App, for New and for Check.
func (a *App) steps() []step {
	return []step{
		{build: a.openTracer},
		{build: a.openFollower, check: nop},
		{build: a.openLog, check: a.checkLog},
		{build: a.openIssuers},
		{build: a.openProofs},
		{build: a.openUpstreamTokens},
		{build: a.openSignals},
		{build: a.openSources},
		{build: a.loadPolicies},
		{build: a.openPoint, check: nop},
		{build: a.openDoors, check: a.checkDoors},
	}
}

// Check builds everything that New builds, changes nothing and serves nothing. Its error joins all faults; without
// one it returns the set and the policy that would serve.
func Check(ctx context.Context, cfg *config.Config) (*bundle.Set, *engine.Policy, error) {
	a := newApp(cfg, Deps{Log: slog.New(slog.DiscardHandler), Stdout: io.Discard})
	defer a.undo(ctx)
	var errs []error
	for _, s := range a.steps() {
		if s.check == nil {
			s.check = s.build
		}
		errs = append(errs, s.check(ctx))
	}
	return a.initial.Set, a.initial.Policy, errors.Join(errs...)
}

// New builds an App. Everything that can fail does so here, before anything serves. When it returns an error nothing
// is left open.
func New(ctx context.Context, cfg *config.Config, deps Deps) (*App, error) {
	a := newApp(cfg, deps)
	for _, s := range a.steps() {
		if err := s.build(ctx); err != nil {
			a.undo(ctx)
			return nil, err
		}
	}
	return a, nil
}

func newApp(cfg *config.Config, deps Deps) *App {
	own := *cfg
	own.Engine.Runaways = builtins.NewRunaways()
	if deps.Log != nil && deps.Log.Enabled(context.Background(), slog.LevelDebug) {
		own.Engine.Print = func(decisionID string, p engine.Print) {
			deps.Log.Debug("policy prints", "text", p.Text, "file", p.File, "row", p.Row, "decision_id", decisionID)
		}
	}
	a := &App{cfg: &own, deps: deps, started: time.Now(), metrics: telemetry.NewMetrics(deps.Version)}
	r := a.metrics.Registerer()
	own.Engine.Runaways.Register(r)
	a.countMemo(&own, r)
	a.policy, a.sources = newPolicyState(r), &source.Sources{}
	a.stopSignals, a.stopWork = func() {}, func() {}
	if g := own.Policies.Gate.Replay; g.Mode != gate.Off && g.Mode != "" {
		a.recent = decisionlog.NewRecent(g.Last, g.Bytes)
	}
	a.gates = stage.All(&own, stage.Deps{Recent: a.recent})
	return a
}

func nop(context.Context) error { return nil }

func (a *App) openTracer(ctx context.Context) (err error) {
	if a.tracer, err = telemetry.NewTracer(ctx, a.cfg.Telemetry.Traces, a.deps.Version, a.deps.Log); err != nil {
		return err
	}
	a.onStop("traces", func(ctx context.Context) error {
		if err := a.tracer.Shutdown(ctx); err != nil {
			a.deps.Log.Warn("traces are lost", "error", err)
		}
		return nil
	})
	return nil
}

// openFollower begins before the decision log does, and ends after all decisions.
func (a *App) openFollower(ctx context.Context) error {
	switch {
	case a.deps.Lines != nil:
		a.follower = follow.Start(follow.Text(a.deps.Lines))
	case a.deps.Log.Enabled(ctx, slog.LevelDebug):
		a.follower = follow.Start(follow.Structured(a.deps.Log))
	default:
		return nil
	}
	a.onStop("the lines of decisions", a.follower.Close)
	return nil
}

func (a *App) openLog(context.Context) (err error) {
	deps := decisionlog.Deps{Stdout: a.deps.Stdout, Metrics: a.metrics.Registerer(), Log: a.deps.Log,
		Version: a.deps.Version, Recent: a.recent}
	if a.log, err = decisionlog.Open(a.cfg.DecisionLog, deps); err != nil {
		return err
	}
	a.onStop("the decision log", a.log.Close)
	// Calls under way end before the log does, so that their decisions are logged.
	a.onStop("calls under way", func(ctx context.Context) error { a.calls.Wait(ctx); return nil })
	return nil
}

func (a *App) checkLog(context.Context) error {
	return decisionlog.Check(a.cfg.DecisionLog, decisionlog.Deps{Stdout: a.deps.Stdout})
}

func (a *App) openIssuers(context.Context) (err error) {
	deps := issuer.Deps{Fingerprints: secret.NewFingerprinter(), Metrics: a.metrics.Registerer(), Log: a.deps.Log}
	if a.issuers, err = issuer.Open(a.cfg.Issuers, deps); err != nil {
		return err
	}
	a.onStop("questions to authorization servers", func(context.Context) error { a.issuers.Close(); return nil })
	return nil
}

func (a *App) openProofs(context.Context) (err error) {
	a.proofs, err = proof.New(a.cfg.Proof, a.metrics.Registerer())
	return err
}

func (a *App) openUpstreamTokens(context.Context) (err error) {
	a.identities, err = upstreamtoken.Open(a.cfg.UpstreamToken,
		upstreamtoken.Deps{Log: a.deps.Log, Metrics: a.metrics.Registerer()})
	return err
}

func (a *App) openPoint(context.Context) error {
	deps := decision.Deps{
		Input: a.cfg.InputRules(), Proofs: a.proofs, DecisionLog: a.log, Metrics: a.metrics.Registerer(),
		Log: a.deps.Log, Tracer: a.tracer, UpstreamTokens: a.identities,
		Places: issuer.Places(a.cfg.Issuers),
	}
	if a.follower != nil {
		deps.Observer = a.follower
	}
	a.point = decision.New(a.cfg.Decision, &decision.Snapshot{Introspector: a.issuers, Policy: a.initial.Policy}, deps)
	metrics.NewGaugeFunc(a.metrics.Registerer(), "sidecar_app_policy_misconfigured_ratio",
		"Share of the evaluations since the policy was activated that gave no verdict.",
		func() float64 { return a.point.Snapshot().Verdicts().Ratio() })
	a.measureMemo(a.metrics.Registerer())
	a.activated(a.initial)
	a.initial = stage.Policies{}
	a.lookStale()
	a.onStop("background work", func(context.Context) error { a.stopWork(); return nil })
	return nil
}
