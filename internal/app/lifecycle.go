package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// stop is how one part of an App ends.
type stop struct {
	part string
	end  func(context.Context) error
}

// onStop adds how a part ends. Parts end in the reverse order, when a start fails as when an App stops.
func (a *App) onStop(part string, end func(context.Context) error) {
	a.stops = append(a.stops, stop{part, end})
}

// undo ends what was built, after a failed start.
func (a *App) undo(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.ShutdownTimeout)
	defer cancel()
	_ = a.stopAll(ctx)
}

// stopAll ends every part, last first. A part that does not end in time is left behind: the parts below it still end.
func (a *App) stopAll(ctx context.Context) error {
	var errs []error
	for i := len(a.stops) - 1; i >= 0; i-- {
		errs = append(errs, within(ctx, a.stops[i]))
	}
	a.stops = nil
	return errors.Join(errs...)
}

// lastMoment is the time of a part whose end begins when no time is left.
const lastMoment = 20 * time.Millisecond

// within ends a part, and waits for it until ctx ends.
func within(ctx context.Context, s stop) error {
	ended := make(chan error, 1)
	go func() { ended <- s.end(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(lastMoment):
		return fmt.Errorf("stop %s: not done in time", s.part)
	}
}

// Run serves until ctx ends, and on for the configured shutdown delay, then stops top-down: no new calls, calls under
// way answered, the log written. The stop takes no longer than the configured shutdown timeout; what does not end by
// then is left behind, and the error names it. An App runs once.
func (a *App) Run(ctx context.Context) error {
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	var background sync.WaitGroup
	a.stopWork = func() {
		stopWork()
		background.Wait()
	}
	background.Go(func() { a.watcher.Run(work, a.policy.set(), a.loader.reports(work)) })
	background.Go(func() { a.loader.run(work) })
	background.Go(func() { a.sources.Run(work) })
	background.Go(func() { every(work, staleInterval, a.lookStale) })
	background.Go(func() { every(work, verdictInterval, a.warnWithoutVerdicts) })
	for _, issuer := range a.issuers.All() {
		background.Go(func() { issuer.Warm(work) })
		background.Go(func() { issuer.Canary(work) })
	}
	background.Go(func() { every(work, sweepInterval, a.sweep) })
	a.runSignals(work)

	failed := make(chan error, len(a.doors))
	for _, d := range a.doors {
		background.Go(func() {
			if err := d.Serve(); err != nil {
				failed <- fmt.Errorf("serve listen.%s: %w", d.name, err)
			}
		})
	}
	a.ready.set(serving)
	a.deps.Log.Info("serving", append(a.addresses(),
		"policy_revision", a.point.Snapshot().Policy.Revision(), "version", a.deps.Version)...)

	var err error
	select {
	case <-ctx.Done():
		err = a.drain(failed)
	case err = <-failed:
	}
	return errors.Join(err, a.stop(err))
}

// drain goes on taking calls for the configured delay, while the probe says that the sidecar stops. So balancers look
// elsewhere before the listeners close. It ends early with the error of a listener that failed.
func (a *App) drain(failed <-chan error) error {
	if a.cfg.ShutdownDelay == 0 {
		return nil
	}
	a.ready.set(stopping)
	go a.deps.Log.Info("stopping soon: a signal asked for it; calls are taken until then, and /readyz is 503",
		"shutdown_delay", a.cfg.ShutdownDelay) // a log line that cannot be written blocks its writer
	select {
	case <-time.After(a.cfg.ShutdownDelay):
		return nil
	case err := <-failed:
		return err
	}
}

// stop ends every part. It keeps a little of the shutdown timeout for the log lines about the stop.
func (a *App) stop(cause error) error {
	begun := time.Now()
	// Three times: for parts that are left behind, for the log line, and for the process.
	spare := min(a.cfg.ShutdownTimeout/20, 250*time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.ShutdownTimeout-3*spare)
	defer cancel()
	a.ready.set(stopping)
	ended := make(chan error, 1)
	go func() { // a log line that cannot be written blocks its writer
		if cause == nil {
			a.deps.Log.Info("stopping: a signal asked for it; calls under way are answered",
				"shutdown_timeout", a.cfg.ShutdownTimeout)
		} else {
			a.deps.Log.Error("stopping: a listener failed; calls under way are answered", "error", cause,
				"shutdown_timeout", a.cfg.ShutdownTimeout)
		}
		err := a.stopAll(ctx)
		if err == nil {
			a.deps.Log.Info("stopped", "took", time.Since(begun).Round(time.Millisecond))
		} else {
			a.deps.Log.Error("stopped, but some parts did not end",
				"took", time.Since(begun).Round(time.Millisecond), "error", err)
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-time.After(a.cfg.ShutdownTimeout - spare):
		return errors.New("stop: not done in time")
	}
}

// Reopen opens the file of the decision log again, after it was moved away. It takes a second at most.
func (a *App) Reopen() error {
	if a.cfg.DecisionLog.File == "" {
		a.deps.Log.Info("there is no file of the decision log to open again")
		return nil
	}
	if err := a.log.Reopen(); err != nil {
		return err
	}
	a.deps.Log.Info("decision log opened again", "file", a.cfg.DecisionLog.File)
	return nil
}

// sweepInterval is how often expired answers are dropped from the caches.
const sweepInterval = 10 * time.Second

// every calls do at each interval until ctx ends.
func every(ctx context.Context, interval time.Duration, do func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			do()
		}
	}
}

func (a *App) sweep() {
	for _, issuer := range a.issuers.All() {
		issuer.Sweep()
	}
}
