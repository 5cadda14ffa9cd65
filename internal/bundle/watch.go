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

	// Tests ask for a look by poke, and are told by rested that changes are over and loaded. Both are nil otherwise.
	poke   chan struct{}
	rested func()
}

// Reports is what a Watcher tells. Its functions are called from the goroutine of Run, one at a time.
type Reports struct {
	// Changed is called when the outcome of loading differs from the one told last: another digest, another error, or a
	// good set after an error, even when it is the set from before the error. With an error the set is nil.
	Changed func(*Set, error)
	// Waiting is called when changes have not come to rest for long, with the reason, which holds nothing back but the
	// change itself; again when the reason is another one; and with nil when the wait is over. It may be nil.
	Waiting func(*Problem)
}

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

// Run watches until ctx ends, and leaves nothing behind. The first outcome is compared with last, the set that the caller
// has already; with nil it is told in any case.
//
// Events are only a reason to look: each look reads everything. Where the operating system gives no events, and for
// changes that it does not report, contents are compared at the poll interval. What is told was at rest: see rest.
func (w *Watcher) Run(ctx context.Context, last *Set, reports Reports) {
	r := &round{w: w, reports: reports, timer: time.NewTimer(0), rest: rest{debounce: w.cfg.Debounce}, renew: true}
	r.rest.notice(time.Now())
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
			r.event(ev, open)
		case _, open := <-r.eyes.errors():
			if !open {
				r.shut()
			}
			r.arm() // events were lost, perhaps the one that mattered
		case <-poll.C:
			r.poll()
		case <-w.poke:
			r.arm()
		case <-r.timer.C:
			r.look(ctx)
		}
	}
}

// round is the state of one Run.
type round struct {
	w       *Watcher
	reports Reports

	eyes   eyes
	renew  bool   // the watches may not fit what is there any more
	warned string // the last reason why events were not to be had

	timer   *time.Timer // of the next look; running while rest waits
	rest    rest
	waiting string // the reason that was reported last; empty when none stands

	mark  string // of the snapshot that told was built from
	told  outcome
	known bool // told means something
}

// outcome is what Changed was told, as far as it matters for telling it again.
type outcome struct{ digest, err string }

// event is an event of the operating system, or the end of them.
func (r *round) event(ev fsnotify.Event, open bool) {
	if !open {
		r.shut()
		r.arm()
		return
	}
	switch r.eyes.weigh(ev) {
	case nothing:
	case perhaps:
		r.arm()
	case surely:
		r.arm()
		r.rest.notice(time.Now())
	}
}

// shut gives up on eyes whose channels were closed, which would be ready for ever.
func (r *round) shut() {
	r.eyes.close()
	r.eyes = eyes{}
}

// arm makes sure that there will be a look.
func (r *round) arm() {
	r.renew = true
	if !r.rest.waits() {
		r.rest.notice(time.Now())
		r.timer.Reset(r.w.cfg.Debounce)
	}
}

// poll looks whether something changed that no event told of.
func (r *round) poll() {
	if r.rest.waits() {
		return
	}
	if snap, steady := glance(r.w.cfg, policies, usual()); !steady || snap.mark != r.mark {
		r.arm()
		r.rest.look(snap.mark, time.Now())
	}
}

// look reads everything, and loads it when it has come to rest.
func (r *round) look(ctx context.Context) {
	if r.renew {
		r.renew = false
		r.watch()
	}
	snap, steady := glance(r.w.cfg, policies, usual())
	now := time.Now()
	before := r.rest.mark
	left := r.rest.look(snap.mark, now)
	r.renew = r.renew || before != snap.mark
	if !steady && snap.unrest == nil {
		snap.unrest = &Problem{File: snap.sources[0].name, Code: CodeChanging, Message: "files change while they are read"}
	}
	if snap.unrest != nil {
		r.rest.hold(now)
		left = r.w.cfg.Debounce
	}
	if left > 0 {
		r.wait(snap, now)
		r.timer.Reset(r.rest.next(left, now))
		return
	}
	r.rest = rest{debounce: r.w.cfg.Debounce}
	r.load(ctx, snap)
	if r.waiting != "" {
		r.waiting = ""
		r.reports.Waiting(nil)
	}
	if r.w.rested != nil {
		r.w.rested()
	}
}

// load builds what has come to rest, unless that was done.
func (r *round) load(ctx context.Context, snap snapshot) {
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

// wait reports a wait that has become long.
func (r *round) wait(snap snapshot, now time.Time) {
	if r.reports.Waiting == nil || r.rest.age(now) < patienceFactor*r.w.cfg.Debounce {
		return
	}
	why := snap.unrest
	if why == nil {
		why = &Problem{File: snap.sources[0].name, Code: CodeChanging, Message: "files keep changing"}
	}
	if text := why.String(); text != r.waiting {
		r.waiting = text
		r.reports.Waiting(why)
	}
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
	r.reports.Changed(set, err)
}

// watch renews the watches, before the files are read: what changes from now on is reported. They are renewed as a
// whole, because a directory that was deleted and made again has lost its watch, and nobody can tell.
func (r *round) watch() {
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
