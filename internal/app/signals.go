package app

import (
	"context"
	"errors"
	"sync"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/signals"
	"github.com/authz-sidecar/sidecar/internal/signals/receivers"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// openSignals builds the receivers of logouts and security events, if any are configured.
func (a *App) openSignals(context.Context) error {
	if len(a.cfg.Events) == 0 {
		return nil
	}
	deps := signals.Deps{Evictor: noCache{}, Metrics: a.metrics.Registerer(), Log: a.deps.Log}
	if a.issuers != nil { // nil when Check found a fault in them
		deps.Evictor, deps.Limiter = a.issuers, a.issuers
	}
	var err error
	if a.signals, err = newReceivers(a.cfg, deps); err != nil {
		return err
	}
	a.onStop("streams of events", func(context.Context) error {
		a.stopSignals()
		a.signals.Close()
		return nil
	})
	return nil
}

// runSignals runs the streams of events until stopSignals, which waits for them.
func (a *App) runSignals(ctx context.Context) {
	if a.signals == nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { a.signals.Run(ctx) })
	a.stopSignals = func() {
		cancel()
		running.Wait()
	}
}

func newReceivers(cfg *config.Config, deps signals.Deps) (*receivers.Receivers, error) {
	var servers []oauth.Config
	for _, i := range cfg.Issuers {
		servers = append(servers, i.Endpoint)
	}
	return receivers.New(cfg.Events, servers, deps)
}

func (a *App) eventStatus() []status.Event {
	if a.signals == nil {
		return nil
	}
	var out []status.Event
	for _, s := range a.signals.Status() {
		e := status.Event{Issuer: s.Issuer, Kind: s.Kind, LastEvent: s.LastEvent, Refused: s.Refused, Errors: s.Errors}
		if s.State != "" {
			e.Stream = &status.Stream{
				State: s.State, LastOK: s.LastOK, Verified: s.Verified, ID: s.StreamID, Status: s.StreamStatus,
				Problem: s.Problem,
			}
		}
		out = append(out, e)
	}
	return out
}

// noCache stands for issuers that could not be built: there is nothing to evict from.
type noCache struct{}

func (noCache) Evict(authz.Revocation) (int, error) {
	return 0, errors.New("evict tokens: no answers are cached")
}
