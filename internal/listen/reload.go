package listen

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authz-sidecar/sidecar/internal/keyfile"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// lookEvery is the least time between two looks at the same files.
const lookEvery = time.Second

// reloaded is a value that is made of files, which are looked at when the value is used. While the files cannot be
// used, the value stays as it was.
type reloaded[T any] struct {
	what, listener string
	log            *slog.Logger
	outcomes       *metrics.Counters

	value    atomic.Pointer[T]
	nextLook atomic.Int64 // in nanoseconds of Unix time

	mu    sync.Mutex // held while files are read
	files *keyfile.Files[T]
	since time.Time // of the fault of the files
}

// reload reads the files for the first time. what names them in the log and in metrics.
func reload[T any](
	what string, deps Deps, parse func([]secret.Text) (T, error), parts ...keyfile.Part,
) (*reloaded[T], error) {
	r := &reloaded[T]{what: what, listener: deps.Name, log: deps.Log}
	r.nextLook.Store(time.Now().Add(lookEvery).UnixNano())
	files, v, err := keyfile.Open(parse, parts...)
	if err != nil {
		return nil, err
	}
	r.files = files
	deps.Files.add(r.fault)
	r.value.Store(&v)
	r.outcomes = metrics.NewCounters(metrics.With(metrics.With(deps.Metrics, "listener", deps.Name), "files", what),
		"sidecar_listen_reloads_total", "Reloads of the TLS and caller key files of a listener, by outcome.", "outcome", "ok", "failed")
	return r, nil
}

// current is the value of the files as they were a second ago, or later.
func (r *reloaded[T]) current() T {
	now, next := time.Now(), r.nextLook.Load()
	if now.UnixNano() >= next && r.nextLook.CompareAndSwap(next, now.Add(lookEvery).UnixNano()) && r.mu.TryLock() {
		r.look()
		r.mu.Unlock()
	}
	return *r.value.Load()
}

func (r *reloaded[T]) look() {
	had := r.files.Fault()
	v, changed, err := r.files.Look()
	if had == "" {
		r.since = time.Now()
	}
	switch {
	case err != nil:
		r.outcomes.Inc("failed")
		r.log.Warn("changed files of a listener cannot be used, the former content is kept",
			"listener", r.listener, "files", r.what, "cause", err)
	case changed:
		r.value.Store(&v)
		r.outcomes.Inc("ok")
		r.log.Info("changed files of a listener are used from now on", "listener", r.listener, "files", r.what)
	}
}
