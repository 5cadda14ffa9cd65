package dir

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// Watcher loads what a Config names again whenever it changes.
type Watcher struct {
	cfg   Config
	scope scope
	log   *slog.Logger
	open  func() (*fsnotify.Watcher, error)

	// Tests request a reading by poke, and learn from rested that changes are over and loaded. Both are nil otherwise.
	poke   chan struct{}
	rested func()
	// polled is told after each poll whether files were read; nil otherwise.
	polled func(read bool)
}

// Reports receives what a Watcher finds. Its functions are called from the goroutine of Run, one at a time.
type Reports struct {
	// Changed is called when the outcome of loading differs from the one reported last: another digest, another error,
	// or a good set after an error, even when it is the set from before the error. With an error the set is nil.
	Changed func(*bundle.Set, error)
	// Waiting is called when changes are pending for long, with the reason; again when the reason is another one; and
	// with nil when the wait is over. It may be nil.
	Waiting func(*bundle.Problem)
	// Likely is called with what was read of changes that may not be over, once for each series of them, and with nil
	// when they are over. Nothing may be done with it that cannot be undone. It may be nil.
	Likely func(*bundle.Set)
}

// NewWatcher returns a watcher. It is an error when the debounce or the poll interval is not positive. The directories
// need not exist yet.
func NewWatcher(cfg Config, log *slog.Logger) (*Watcher, error) {
	switch {
	case cfg.Debounce <= 0:
		return nil, fmt.Errorf("watch policies: debounce is %s, not above zero", cfg.Debounce)
	case cfg.Poll <= 0:
		return nil, fmt.Errorf("watch policies: poll is %s, not above zero", cfg.Poll)
	}
	return &Watcher{cfg: cfg, scope: policies, log: log, open: fsnotify.NewWatcher}, nil
}

// NewTestWatcher returns a watcher that reports changes of tests and suites too. Its sets hold the tests.
func NewTestWatcher(cfg Config, log *slog.Logger) (*Watcher, error) {
	w, err := NewWatcher(cfg, log)
	if err == nil {
		w.scope = everything
	}
	return w, err
}

// Run watches until ctx ends, and leaves nothing behind. The first outcome is compared with last, the set that the
// caller has already; with nil it is reported in any case.
//
// An event only triggers a reading, which is always of all files. Where the operating system gives no events, and for
// changes that it does not report, files are compared at the poll interval, as the type seen says. Sets are reported
// once their changes are over, as the type changes judges.
func (w *Watcher) Run(ctx context.Context, last *bundle.Set, reports Reports) {
	r := &run{w: w, reports: reports, timer: time.NewTimer(0), changes: changes{debounce: w.cfg.Debounce}, stale: true}
	r.changes.started(time.Now())
	defer r.timer.Stop()
	defer func() { r.dirs.close() }()
	if last != nil {
		r.reported, r.known = outcomeOf(last), true
	}
	poll := time.NewTicker(w.cfg.Poll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case ev, open := <-r.dirs.events():
			r.fromEvent(ev, open)
		case _, open := <-r.dirs.errors():
			if !open {
				r.closed()
			}
			r.schedule() // events were lost, perhaps the one that mattered
		case <-poll.C:
			r.poll()
		case <-w.poke:
			r.schedule()
		case <-w.cfg.Poke:
			r.schedule()
		case <-r.timer.C:
			r.read(ctx)
		}
	}
}

// run is the state of one Run.
type run struct {
	w       *Watcher
	reports Reports

	dirs   dirWatcher
	stale  bool   // the watches may not fit the directories any more
	warned string // the last reason why there are no events

	timer   *time.Timer // of the next reading; running while changes are pending
	changes changes
	waiting string // the reason that was reported last; empty when there is none

	guess      guess
	loadedHash string // of the reading that was built last
	seen       seen   // what the polls find
	reported   outcome
	known      bool // reported means something
}

// outcome is what Changed received, as far as it matters for calling it again.
type outcome struct{ digest, signed, err string }

// outcomeOf is that of a good set. Who signed is no part of its digest.
func outcomeOf(set *bundle.Set) outcome {
	out := outcome{digest: set.Digest}
	for _, b := range set.Bundles {
		out.signed += signedText(b.Name, b.Signed)
	}
	return out
}

// signedText is the signatures of one bundle as text; nothing for a bundle without.
func signedText(name string, s bundle.Signed) string {
	if len(s.Signers) == 0 {
		return ""
	}
	return fmt.Sprintf("%q %+v\n", name, s)
}

// fromEvent handles an event of the operating system, or the end of them.
func (r *run) fromEvent(ev fsnotify.Event, open bool) {
	if !open {
		r.closed()
		r.schedule()
		return
	}
	switch r.dirs.relevance(ev) {
	case irrelevant:
	case possible:
		r.schedule()
	case certain:
		r.schedule()
		r.changes.noticed(time.Now())
	}
}

// closed drops watches whose channels were closed, from which a select would receive for ever.
func (r *run) closed() {
	r.dirs.close()
	r.dirs = dirWatcher{}
}

// schedule makes sure that there will be a reading.
func (r *run) schedule() {
	r.stale = true
	if !r.changes.pending() {
		r.changes.noticed(time.Now())
		r.timer.Reset(r.guess.firstLook(r.w.cfg.Debounce))
	}
}

// poll finds changes that no event reported.
func (r *run) poll() {
	if r.changes.pending() {
		return
	}
	read := !r.seen.still(list(r.w.cfg, r.w.scope, usual()), time.Now())
	if read {
		files, steady := readOnce(r.w.cfg, r.w.scope, usual())
		if !steady || files.hash != r.loadedHash {
			r.seen = seen{}
			r.schedule()
			r.changes.observe(files.hash, time.Now())
		} else {
			r.seen.read(files)
		}
	}
	if r.w.polled != nil {
		r.w.polled(read)
	}
}

// read reads everything, and loads it when the changes are over.
func (r *run) read(ctx context.Context) {
	if r.stale {
		r.stale = false
		r.watch()
	}
	files, steady := readOnce(r.w.cfg, r.w.scope, usual())
	now := time.Now()
	before := r.changes.hash
	left := r.changes.observe(files.hash, now)
	r.stale = r.stale || before != files.hash
	if !steady && files.unfinished == nil {
		files.unfinished = changing(files, "files change while they are read")
	}
	if files.unfinished != nil {
		r.changes.extend(now)
		left = r.w.cfg.Debounce
	}
	r.guess.small = files.size <= maxGuess
	if left > 0 {
		r.tellLikely(files)
		r.wait(files, now)
		r.timer.Reset(r.changes.next(left, now))
		return
	}
	r.changes = changes{debounce: r.w.cfg.Debounce}
	r.load(ctx, files)
	r.forgetLikely()
	if r.waiting != "" {
		r.waiting = ""
		r.reports.Waiting(nil)
	}
	if r.w.rested != nil {
		r.w.rested()
	}
}

func changing(files reading, message string) *bundle.Problem {
	return &bundle.Problem{File: files.name(), Code: bundle.CodeChanging, Message: message}
}

// load builds what was read, unless that was done.
func (r *run) load(ctx context.Context, files reading) {
	if files.hash == r.loadedHash {
		return
	}
	set, err := r.guess.build(files)
	if ctx.Err() != nil {
		return
	}
	r.loadedHash, r.seen = files.hash, seen{} // what polls have seen may be what was loaded before
	r.report(set, err)
}

// wait reports changes that are pending for long.
func (r *run) wait(files reading, now time.Time) {
	if r.reports.Waiting == nil || r.changes.age(now) < maxDebounces*r.w.cfg.Debounce {
		return
	}
	why := files.unfinished
	if why == nil {
		why = changing(files, "files keep changing")
	}
	if text := why.String(); text != r.waiting {
		r.waiting = text
		r.reports.Waiting(why)
	}
}

func (r *run) report(set *bundle.Set, err error) {
	var now outcome
	if err != nil {
		now.err = err.Error()
	} else {
		now = outcomeOf(set)
	}
	if r.known && now == r.reported {
		return
	}
	r.reported, r.known = now, true
	r.reports.Changed(set, err)
}

// watch renews all watches, before the files are read, so that later changes cause events. All of them are renewed,
// because a directory that was deleted and made again has lost its watch without an event.
func (r *run) watch() {
	r.dirs.close()
	var err error
	r.dirs, err = watchDirs(r.w.open, r.w.cfg)
	switch {
	case err == nil:
		r.warned = ""
	case err.Error() != r.warned:
		r.warned = err.Error()
		r.w.log.Warn("policy directories are not watched, only polled", "poll", r.w.cfg.Poll, "cause", r.warned)
	}
}
