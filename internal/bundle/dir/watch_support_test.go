package dir

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// watched has a poll that never comes, so that events alone show what changed.
func watched(dirs ...string) Config {
	return Config{Paths: dirs, Debounce: 50 * time.Millisecond, Poll: time.Hour}
}

// polled is for a watcher without events, in a bubble.
func polled() Config {
	return Config{Paths: []string{"policies"}, Debounce: 100 * time.Millisecond, Poll: 60 * time.Millisecond}
}

func noEvents() (*fsnotify.Watcher, error) { return nil, errors.New("no inotify instances left") }

// report is one call of Reports.Changed.
type report struct {
	set *bundle.Set
	err error
}

// text is all modules in one, or the error.
func (r report) text() string {
	if r.err != nil {
		return "error: " + r.err.Error()
	}
	var b strings.Builder
	for _, x := range r.set.Bundles {
		for _, m := range x.Modules {
			b.Write(m.Raw)
		}
	}
	return b.String()
}

// session is a watcher that runs, and what it reports.
type session struct {
	t       *testing.T
	reports chan report
	waits   chan *bundle.Problem
	poke    chan struct{}
	rested  chan struct{}
	polls   chan bool // whether a poll read the files
	log     testkit.LogBuffer
	stop    func()
}

// watch runs a watcher until the test ends.
func watch(t *testing.T, cfg Config, last *bundle.Set, open func() (*fsnotify.Watcher, error)) *session {
	t.Helper()
	s := &session{
		t: t, reports: make(chan report, 100), waits: make(chan *bundle.Problem, 100),
		poke: make(chan struct{}), rested: make(chan struct{}, 1000), polls: make(chan bool, 1000),
	}
	w, err := NewWatcher(cfg, s.log.Logger())
	must(t, err)
	w.open, w.poke, w.rested = open, s.poke, func() { s.rested <- struct{}{} }
	w.polled = func(read bool) {
		select {
		case s.polls <- read:
		default:
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx, last, Reports{
			Changed: func(set *bundle.Set, err error) { s.reports <- report{set, err} },
			Waiting: func(why *bundle.Problem) { s.waits <- why },
		})
	}()
	s.stop = func() { cancel(); <-done }
	t.Cleanup(s.stop)
	return s
}

// started is watch once the watches are in place.
func started(t *testing.T, cfg Config) *session {
	t.Helper()
	s := watch(t, cfg, nil, fsnotify.NewWatcher)
	s.next()
	return s
}

// polls runs a watcher without events in a bubble, where time passes when everything waits, once its first set is
// reported.
func polls(t *testing.T, cfg Config, test func(*testing.T, *session)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := watch(t, cfg, nil, noEvents)
		s.next()
		test(t, s)
	})
}

// patience is far longer than any report needs on a machine with other work.
const patience = time.Minute

func (s *session) next() report {
	s.t.Helper()
	select {
	case r := <-s.reports:
		return r
	case <-time.After(patience):
		s.t.Fatal("nothing was reported")
		return report{}
	}
}

func (s *session) expect(want string) {
	s.t.Helper()
	if got := s.next().text(); got != want {
		s.t.Fatalf("reported %q, want %q", got, want)
	}
}

// quiet requests a reading, and waits until its changes are over: nothing was reported meanwhile.
func (s *session) quiet() {
	s.t.Helper()
	for len(s.rested) > 0 {
		<-s.rested
	}
	s.poke <- struct{}{}
	select {
	case <-s.rested:
	case <-time.After(patience):
		s.t.Fatal("the reading never ended")
	}
	select {
	case r := <-s.reports:
		s.t.Fatalf("reported %q for no reason", r.text())
	default:
	}
}

// expectWait returns when a wait is reported, or with why nil its end.
func (s *session) expectWait(want *bundle.Problem) {
	s.t.Helper()
	for {
		select {
		case why := <-s.waits:
			if want == nil && why != nil {
				continue
			}
			if (why == nil) != (want == nil) || why != nil && *why != *want {
				s.t.Errorf("waits for %v, want %v", why, want)
			}
			return
		case r := <-s.reports:
			s.t.Fatalf("reported %q", r.text())
		case <-time.After(patience):
			s.t.Fatal("no wait was reported")
		}
	}
}
