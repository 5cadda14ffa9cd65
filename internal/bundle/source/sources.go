package source

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/metrics"
)

// Deps is what Sources need from the rest of the program.
type Deps struct {
	// Log may be nil.
	Log *slog.Logger
	// Metrics may be nil.
	Metrics metrics.Registerer
	// Settle is for how long an archive or a folder on this machine must not have changed, and Poll is how often it is
	// looked at: those of package dir.
	Settle, Poll time.Duration
	// Once is set where a server that fails is not asked again: by commands that do not serve.
	Once bool
}

// Sources are all configured sources. They are safe for concurrent use.
type Sources struct {
	all  []*source
	poke chan struct{}
}

// Open reads what the sources need of this machine, such as credentials and keys. It sends no request. Close what it
// returns.
func Open(cfgs []Config, deps Deps) (*Sources, error) {
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	all := &Sources{poke: make(chan struct{}, 1)}
	var errs []error
	for _, cfg := range cfgs {
		s, err := newSource(cfg, deps, all.changed)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all.all = append(all.all, s)
	}
	if err := errors.Join(errs...); err != nil {
		all.Close()
		return nil, err
	}
	return all, nil
}

// Close closes idle connections. It does not wait for Run.
func (s *Sources) Close() {
	for _, one := range s.all {
		one.place.close()
	}
}

// changed tells the watcher of the directories.
func (s *Sources) changed() {
	select {
	case s.poke <- struct{}{}:
	default: // it will read what there is then
	}
}

// First gets the first archive of each source: what is persisted, else what its place has now. It waits for
// StartTimeout of each at most. Package dir reports those that have none then: see Into.
func (s *Sources) First(ctx context.Context) {
	var wait sync.WaitGroup
	for _, one := range s.all {
		wait.Go(func() { one.first(ctx) })
	}
	wait.Wait()
}

// Run asks for newer archives until ctx ends.
func (s *Sources) Run(ctx context.Context) {
	var wait sync.WaitGroup
	for _, one := range s.all {
		wait.Go(func() { one.run(ctx) })
	}
	wait.Wait()
}

// Into makes package dir read the sources beside its directories.
func (s *Sources) Into(cfg *dir.Config) {
	if len(s.all) > 0 {
		cfg.Beside, cfg.Poke = s.held, s.poke
	}
}

// held are the newest good archives.
func (s *Sources) held() ([]dir.Held, bundle.Problems) {
	var held []dir.Held
	var problems bundle.Problems
	for _, one := range s.all {
		if v := one.newest(); v != nil {
			held = append(held, v.Held)
		} else {
			problems = append(problems, problemsOf(one.cfg.Name, one.failed())...)
		}
	}
	return held, problems
}

// Activated records that a set decides: the archives in it are persisted, and no older one may follow.
func (s *Sources) Activated(set *bundle.Set) {
	digests := map[string]string{}
	for _, b := range set.Bundles {
		digests[b.Name] = b.Digest
	}
	for _, one := range s.all {
		one.activated(digests[one.cfg.Name])
	}
}

// Refresh asks the servers of archives that came from the disk, and reports whether one of them has another archive.
func (s *Sources) Refresh(ctx context.Context) bool {
	var wait sync.WaitGroup
	var newer atomic.Bool
	for _, one := range s.all {
		before, isStored := one.stored()
		if !isStored {
			continue
		}
		wait.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, one.cfg.StartTimeout)
			defer cancel()
			if one.ask(ctx, 0) == nil && one.newest() != before {
				newer.Store(true)
			}
		})
	}
	wait.Wait()
	return newer.Load()
}
