package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/bundle/source"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/gate/stage"
)

// openSources opens policies.sources, and gets the first archive of each. Loading says which of them have none.
func (a *App) openSources(ctx context.Context) error {
	p := &a.cfg.Policies
	all, err := source.Open(p.Sources, source.Deps{
		Log: a.deps.Log, Metrics: a.metrics.Registerer(), Settle: p.Debounce, Poll: p.Poll,
	})
	if err != nil {
		return err
	}
	a.sources = all
	a.onStop("sources of policies", func(context.Context) error { all.Close(); return nil })
	all.First(ctx)
	all.Into(&p.Config)
	return nil
}

// Resolve puts the archives that the sources of cfg have now in their place, for commands that serve nothing. Loading
// says which of them have none.
func Resolve(ctx context.Context, cfg *config.Config) error {
	if len(cfg.Policies.Sources) == 0 {
		return nil
	}
	p := &cfg.Policies
	all, err := source.Open(p.Sources, source.Deps{Settle: p.Debounce, Poll: p.Poll, Once: true})
	if err != nil {
		return err
	}
	defer all.Close()
	all.First(ctx)
	all.Into(&p.Config)
	p.Sources = nil
	return nil
}

// loadFirst loads the first policies. Persisted archives that do not load, with what is on this machine now, may have
// been replaced at their servers since: these are asked once more before the start fails.
func (a *App) loadFirst(ctx context.Context) (stage.Policies, error) {
	first, err := a.loadGated(ctx)
	if err == nil || ctx.Err() != nil || !a.sources.Refresh(ctx) {
		return first, err
	}
	a.deps.Log.Warn("persisted archives of policy sources do not load; newer ones are tried", "problem", err.Error())
	return a.loadGated(ctx)
}

// loadGated loads policies and asks the gates about them, as the first ones.
func (a *App) loadGated(ctx context.Context) (stage.Policies, error) {
	first, err := load(ctx, a.cfg)
	if err != nil {
		return first, err
	}
	said, err := a.ask(ctx, stage.Policies{}, first)
	if err != nil {
		return first, err
	}
	a.gated(said, first.Set)
	if refused := stage.Problems(said, first.Set); refused != nil {
		return first, refused
	}
	return first, nil
}

func (a *App) loadPolicies(ctx context.Context) error {
	first, err := a.loadFirst(ctx)
	if err != nil {
		return err
	}
	if a.watcher, err = dir.NewWatcher(a.cfg.Policies.Config, a.deps.Log); err != nil {
		return err
	}
	a.loader = newLoader(a)
	a.initial = first
	return nil
}

// staleInterval is how often the age of archives is looked at.
const staleInterval = time.Second

// errStale is why nothing is decided by policies that are too old.
var errStale = errors.New("its archive was not confirmed for longer than max_age (when_stale: deny)")

// lookStale lets archives that are too old have their effect.
func (a *App) lookStale() {
	stale := a.sources.Stale(time.Now())
	a.stale.Store(&stale)
	var withheld error
	if stale.Deny != "" {
		withheld = &authz.Error{Kind: authz.Unavailable, Code: decision.PolicyStale, RetryAfter: staleInterval,
			Err: fmt.Errorf("policy source %q: %w", stale.Deny, errStale)}
	}
	a.point.Withhold(withheld)
}
