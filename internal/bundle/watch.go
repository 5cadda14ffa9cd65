package bundle

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watcher loads what a Config names again whenever it changes.
type Watcher struct {
	cfg  Config
	log  *slog.Logger
	open func() (*fsnotify.Watcher, error)
}

// busy is how many times the debounce a directory that never rests is waited for.
const busy = 5

// NewWatcher returns a watcher. It is an error when the debounce or the poll interval is not positive; that the
// directories exist is not asked for.
func NewWatcher(cfg Config, log *slog.Logger) (*Watcher, error) {
	switch {
	case cfg.Debounce <= 0:
		return nil, fmt.Errorf("watch policies: debounce is %s, not above zero", cfg.Debounce)
	case cfg.Poll <= 0:
		return nil, fmt.Errorf("watch policies: poll is %s, not above zero", cfg.Poll)
	}
	return &Watcher{cfg: cfg, log: log, open: fsnotify.NewWatcher}, nil
}

// Run watches until ctx ends, and leaves nothing behind. It calls changed, always from its own goroutine, when the
// outcome of loading differs from the one told last: another digest, another error, or a good set after an error, even
// when it is the set from before the error. With an error the set is nil. The first outcome is compared with last,
// the set that the caller has already; with nil it is told in any case.
//
// Events are only a reason to look: each look reads everything. Where the operating system gives no events, and for
// changes that it does not report, contents are compared at the poll interval.
func (w *Watcher) Run(ctx context.Context, last *Set, changed func(*Set, error)) {
	r := &round{w: w, changed: changed, timer: time.NewTimer(0), burst: time.Now()}
	defer r.timer.Stop()
	defer func() { r.eyes.close() }()
	if last != nil {
		r.told, r.known = outcome{digest: last.Digest}, true
	}
	poll := time.NewTicker(w.cfg.Poll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case ev, open := <-r.eyes.events():
			if !open {
				r.shut()
			}
			if !open || r.eyes.concerns(ev) {
				r.arm(stirred)
			}
		case _, open := <-r.eyes.errors():
			if !open {
				r.shut()
			}
			r.arm(stirred) // events were lost, perhaps the one that mattered
		case <-poll.C:
			r.poll()
		case <-r.timer.C:
			r.settle(ctx)
		}
	}
}

// round is the state of one Run.
type round struct {
	w       *Watcher
	changed func(*Set, error)

	eyes   eyes
	warned string // the last reason why events were not to be had

	timer  *time.Timer
	burst  time.Time // when the changes began that the timer waits for the end of; zero when it is not running
	glance string    // the mark that a poll saw; empty when events say when it is quiet

	mark  string // of the snapshot that told was built from
	told  outcome
	known bool // told means something
}

// outcome is what changed was told, as far as it matters for telling it again.
type outcome struct{ digest, err string }

// stirred is the glance of an event: it saw that something changed, not what.
const stirred = ""

// shut gives up on eyes whose channels were closed, which would be ready for ever.
func (r *round) shut() {
	r.eyes.close()
	r.eyes = eyes{}
}

// arm waits for the end of the changes: the debounce after the last of them, but never long after the first.
func (r *round) arm(glance string) {
	now := time.Now()
	if r.burst.IsZero() {
		r.burst = now
	}
	r.glance = glance
	wait := min(r.w.cfg.Debounce, r.burst.Add(busy*r.w.cfg.Debounce).Sub(now))
	r.timer.Reset(max(wait, 0))
}

// poll looks whether something changed that no event told of.
func (r *round) poll() {
	if !r.burst.IsZero() {
		return // being waited for already
	}
	if mark := take(r.w.cfg, policies, usual()).mark; mark != r.mark {
		r.arm(mark)
	}
}

// settle loads, at the end of the changes.
func (r *round) settle(ctx context.Context) {
	r.look()
	snap := take(r.w.cfg, policies, usual())
	// What a poll saw may be the middle of a change. Without events, only two equal looks say that it is over.
	if r.glance != stirred && r.glance != snap.mark && time.Since(r.burst) < busy*r.w.cfg.Debounce {
		r.arm(snap.mark)
		return
	}
	r.burst = time.Time{}
	if snap.mark == r.mark {
		return
	}
	set, err := snap.build()
	if ctx.Err() != nil {
		return
	}
	r.mark = snap.mark
	r.tell(set, err)
}

func (r *round) tell(set *Set, err error) {
	var now outcome
	if err != nil {
		now.err = err.Error()
	} else {
		now.digest = set.Digest
	}
	if r.known && now == r.told {
		return
	}
	r.told, r.known = now, true
	r.changed(set, err)
}

// look renews the watches, before the files are read: what changes from now on is reported. They are renewed as a
// whole, because a directory that was deleted and made again has lost its watch, and nobody can tell.
func (r *round) look() {
	r.eyes.close()
	eyes, err := openEyes(r.w.open, r.w.cfg)
	r.eyes = eyes
	switch {
	case err == nil:
		r.warned = ""
	case err.Error() != r.warned:
		r.warned = err.Error()
		r.w.log.Warn("policy directories are not watched, only polled", "poll", r.w.cfg.Poll, "cause", r.warned)
	}
}
