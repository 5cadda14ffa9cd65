// Package app wires the sidecar and owns its life: New, Run, and what happens when policies change.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/events"
	"github.com/authz-sidecar/sidecar/internal/httpapi"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// Deps is what the process gives the app.
type Deps struct {
	// Version is the version of the sidecar.
	Version string
	// Stdout gets the decision log, when it is configured to go there.
	Stdout io.Writer
	// Logger gets the log of operations.
	Logger *slog.Logger
}

// App is a sidecar that is built and not yet running: its sockets are open, its policies compiled.
type App struct {
	cfg     *config.Config
	deps    Deps
	started time.Time

	metrics *telemetry.Metrics
	tracer  *telemetry.Tracer
	log     *decisionlog.Log
	issuers *introspect.Issuers
	events  *events.Receivers // nil when none are configured
	watcher *bundle.Watcher
	point   *decision.Point
	policy  policyState
	ready   readiness

	api, admin server
	calls      calls
}

// server is one listener and what serves it.
type server struct {
	name string
	ln   net.Listener
	http *http.Server
}

// Load reads and compiles the policies that cfg names. It is the one way policies get into the sidecar: at its start,
// at each change, and in "sidecar check".
func Load(ctx context.Context, cfg *config.Config) (*bundle.Set, *engine.Policy, error) {
	set, err := bundle.Load(cfg.Policies)
	if err != nil {
		return nil, nil, err
	}
	policy, err := compile(ctx, set, cfg)
	return set, policy, err
}

// compile makes the policy of set. What its metadata asks of tokens the issuers of cfg can do.
func compile(ctx context.Context, set *bundle.Set, cfg *config.Config) (*engine.Policy, error) {
	bounds := cfg.Engine
	for _, m := range introspect.ModesOf(cfg.Issuers) {
		bounds.TokenModes = append(bounds.TokenModes, string(m))
	}
	bounds.Headers = append([]string{}, cfg.Input.Headers...) // none is not nil
	bounds.AnonymousRequests = cfg.Decision.Token == "optional"
	return engine.Compile(ctx, set, bounds, cfg.Decision.Entrypoint)
}

// Check builds everything that New builds, changes nothing and serves nothing.
func Check(ctx context.Context, cfg *config.Config) error {
	issuers, err := introspect.NewIssuers(cfg.Issuers, introspect.Deps{Fingerprints: secret.NewFingerprinter()})
	if err == nil {
		defer issuers.Close()
	}
	_, proofErr := token.NewProofs(cfg.Proof, nil)
	receivers, eventsErr := newReceivers(cfg, events.Deps{Evictor: nobody{}})
	if eventsErr == nil {
		defer receivers.Close()
	}
	_, _, policyErr := Load(ctx, cfg)
	return errors.Join(err, proofErr, eventsErr, httpapi.Check(cfg.Listen), policyErr)
}

// New builds an App bottom-up. Everything that can fail does so here, before anything serves. When it returns an error
// nothing is left open.
func New(ctx context.Context, cfg *config.Config, deps Deps) (_ *App, err error) {
	a := &App{cfg: cfg, deps: deps, started: time.Now(), metrics: telemetry.NewMetrics(deps.Version)}
	var undo cleanup
	defer func() {
		if err != nil {
			undo.run()
		}
	}()

	if a.tracer, err = telemetry.NewTracer(ctx, cfg.Telemetry.Traces, deps.Version, deps.Logger); err != nil {
		return nil, err
	}
	undo.add(func() { _ = a.tracer.Shutdown(ctx) })

	if a.issuers, err = introspect.NewIssuers(cfg.Issuers, introspect.Deps{Fingerprints: secret.NewFingerprinter(), Observer: a.metrics, Log: deps.Logger}); err != nil {
		return nil, err
	}
	undo.add(a.issuers.Close)
	for _, issuer := range a.issuers.All() {
		a.metrics.AddIssuer(issuer.Name())
		a.metrics.ObserveCache(issuer.Name(), func() telemetry.Held {
			s := issuer.Stats()
			return telemetry.Held{Active: s.Active.Entries, Bytes: s.Active.Bytes, Inactive: s.Inactive.Entries, Tombstones: s.Tombstones, Revocations: s.Revocations}
		})
		a.metrics.ObserveBreaker(issuer.Name(), func() int { return int(issuer.Breaker()) })
	}

	proofs, err := token.NewProofs(cfg.Proof, a.metrics)
	if err != nil {
		return nil, err
	}
	if err = a.receive(&undo); err != nil {
		return nil, err
	}

	set, policy, err := Load(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if a.watcher, err = bundle.NewWatcher(cfg.Policies, deps.Logger); err != nil {
		return nil, err
	}

	if a.log, err = decisionlog.Open(cfg.DecisionLog, decisionlog.Deps{Stdout: deps.Stdout, Observer: a.metrics, Log: deps.Logger, Version: deps.Version}); err != nil {
		return nil, err
	}
	undo.add(func() { _ = a.log.Close(ctx) })
	a.metrics.ObserveQueue(a.log.Queued)

	a.point = decision.New(cfg.Decision, &decision.Snapshot{Introspector: a.issuers, Policy: policy}, decision.Deps{
		Input: input.NewRules(cfg.Input), Proofs: proofs, Log: a.log, Observer: a.metrics, Logger: deps.Logger, Tracer: a.tracer,
	})
	a.activated(set, policy)

	if err = a.listen(&undo); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *App) listen(undo *cleanup) error {
	deps := httpapi.Deps{Point: a.point, Status: a.Status, Metrics: a.metrics.Handler(), Evictor: a.issuers, Log: a.deps.Logger, Tracer: a.tracer}
	if a.events != nil {
		deps.Events = a.events
	}
	for _, l := range []struct {
		to      *server
		name    string
		cfg     httpapi.Listener
		handler func(httpapi.Listener, httpapi.Deps) (http.Handler, error)
	}{
		{&a.api, "api", a.cfg.Listen.API, httpapi.API},
		{&a.admin, "admin", a.cfg.Listen.Admin, httpapi.Admin},
	} {
		h, err := l.handler(l.cfg, deps)
		if err != nil {
			return fmt.Errorf("set up listen.%s: %w", l.name, err)
		}
		ln, err := httpapi.Listen(l.cfg)
		if err != nil {
			return &ListenError{Key: "listen." + l.name + ".address", Err: err}
		}
		undo.add(func() { _ = ln.Close() })
		*l.to = server{l.name, ln, httpapi.NewServer(l.cfg, a.calls.counted(h), a.deps.Logger)}
	}
	return nil
}

// ListenError is a listener that could not be opened; Key is its address in the configuration.
type ListenError struct {
	Key string
	Err error
}

func (e *ListenError) Error() string { return e.Key + ": " + e.Err.Error() }
func (e *ListenError) Unwrap() error { return e.Err }

// APIAddr is where the api listener really is, which matters for port 0.
func (a *App) APIAddr() net.Addr { return a.api.ln.Addr() }

// AdminAddr is where the admin listener really is.
func (a *App) AdminAddr() net.Addr { return a.admin.ln.Addr() }

// Reopen opens the file of the decision log again, after it was moved away.
func (a *App) Reopen() error { return a.log.Reopen() }

// Run serves until ctx ends, then stops top-down: no new calls, calls under way answered, the log written. An App runs
// once.
func (a *App) Run(ctx context.Context) error {
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() { a.watcher.Run(work, a.policy.set(), bundle.Reports{Changed: a.reload}) })
	for _, issuer := range a.issuers.All() {
		background.Go(func() { issuer.Warm(work) })
		background.Go(func() { issuer.Canary(work) })
	}
	background.Go(func() { a.sweep(work) })
	deafen := a.hear(work)

	failed := make(chan error, 2)
	for _, s := range []server{a.api, a.admin} {
		background.Go(func() {
			if err := s.http.Serve(s.ln); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve listen.%s: %w", s.name, err)
			}
		})
	}
	a.ready.set(serving)
	a.deps.Logger.Info("serving", "api", a.APIAddr().String(), "admin", a.AdminAddr().String(), "policy_revision", a.point.Snapshot().Policy.Revision(), "version", a.deps.Version)

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	err = errors.Join(err, a.stop(context.WithoutCancel(ctx), deafen))
	stopWork()
	background.Wait()
	return err
}

// stop ends what Run began. Calls under way have the configured time; what they logged has as much again to be written,
// for a call that would not end is no reason to lose the events of those that did.
func (a *App) stop(ctx context.Context, deafen func()) error {
	a.ready.set(stopping)
	errs := a.stopServers(ctx)
	deafen()
	a.issuers.Close()
	ctx, cancel := context.WithTimeout(ctx, a.cfg.ShutdownTimeout)
	defer cancel()
	a.calls.wait(ctx)
	if err := a.log.Close(ctx); err != nil {
		errs = append(errs, err)
	}
	if err := a.tracer.Shutdown(ctx); err != nil {
		a.deps.Logger.Warn("traces are lost", "error", err)
	}
	return errors.Join(errs...)
}

// stopServers takes no new calls, and waits for those under way as long as is configured.
func (a *App) stopServers(ctx context.Context) []error {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.ShutdownTimeout)
	defer cancel()
	servers := []server{a.api, a.admin}
	errs := make([]error, len(servers))
	var stopping sync.WaitGroup
	for i, s := range servers {
		stopping.Go(func() {
			if err := s.http.Shutdown(ctx); err != nil {
				_ = s.http.Close()
				errs[i] = fmt.Errorf("stop listen.%s: %w", s.name, err)
			}
		})
	}
	stopping.Wait()
	return errs
}

// sweepEvery is how often expired answers are dropped from the caches.
const sweepEvery = 10 * time.Second

func (a *App) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for _, issuer := range a.issuers.All() {
				issuer.Sweep()
			}
		}
	}
}

// cleanup undoes what was built, last first.
type cleanup []func()

func (c *cleanup) add(f func()) { *c = append(*c, f) }

func (c *cleanup) run() {
	for i := len(*c) - 1; i >= 0; i-- {
		(*c)[i]()
	}
}
