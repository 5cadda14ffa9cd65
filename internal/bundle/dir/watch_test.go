package dir

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// watched has a poll that never comes, so that what is seen was seen by events.
func watched(dirs ...string) Config {
	return Config{Paths: dirs, Debounce: 50 * time.Millisecond, Poll: time.Hour}
}

type told struct {
	set *bundle.Set
	err error
}

// text is all modules in one, or the error.
func (o told) text() string {
	if o.err != nil {
		return "error: " + o.err.Error()
	}
	var b strings.Builder
	for _, x := range o.set.Bundles {
		for _, m := range x.Modules {
			b.Write(m.Raw)
		}
	}
	return b.String()
}

// buffer is written by the watcher's log and read by the test.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

type session struct {
	t      *testing.T
	calls  chan told
	waits  chan *bundle.Problem
	poke   chan struct{}
	rested chan struct{}
	log    *buffer
	stop   func()
}

func noEvents() (*fsnotify.Watcher, error) { return nil, errors.New("no inotify instances left") }

// watch runs a watcher until the test ends.
func watch(t *testing.T, cfg Config, last *bundle.Set, open func() (*fsnotify.Watcher, error)) *session {
	t.Helper()
	s := &session{t: t, calls: make(chan told, 100), waits: make(chan *bundle.Problem, 100), poke: make(chan struct{}), rested: make(chan struct{}, 1000), log: &buffer{}}
	w, err := NewWatcher(cfg, slog.New(slog.NewTextHandler(s.log, nil)))
	must(t, err)
	w.open, w.poke, w.rested = open, s.poke, func() { s.rested <- struct{}{} }
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx, last, Reports{Changed: func(set *bundle.Set, err error) { s.calls <- told{set, err} }, Waiting: func(why *bundle.Problem) { s.waits <- why }})
	}()
	s.stop = func() { cancel(); <-done }
	t.Cleanup(s.stop)
	return s
}

// started is watch once the watches are in place.
func started(t *testing.T, cfg Config) *session {
	t.Helper()
	s := watch(t, cfg, nil, fsnotify.NewWatcher)
	s.next(10 * time.Second)
	return s
}

func (s *session) next(within time.Duration) told {
	s.t.Helper()
	select {
	case o := <-s.calls:
		return o
	case <-time.After(within):
		s.t.Fatalf("nothing was told within %s", within)
		return told{}
	}
}

func (s *session) expect(want string) {
	s.t.Helper()
	if got := s.next(10 * time.Second).text(); got != want {
		s.t.Fatalf("told %q, want %q", got, want)
	}
}

// quiet asks for a look, and waits until what it saw has come to rest: nothing was told meanwhile.
func (s *session) quiet() {
	s.t.Helper()
	for len(s.rested) > 0 {
		<-s.rested
	}
	s.poke <- struct{}{}
	select {
	case <-s.rested:
	case <-time.After(10 * time.Second):
		s.t.Fatal("the look never ended")
	}
	select {
	case o := <-s.calls:
		s.t.Fatalf("told %q for no reason", o.text())
	default:
	}
}

func TestWatch_TellsASaveOnce(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	s := started(t, watched("policies"))
	write(t, map[string]string{"policies/a.rego": "two"})
	s.expect("two")
	s.quiet()
}

func TestWatch_IsQuietWhenTheSetIsTheOneItWasGiven(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	s := watch(t, watched("policies"), loaded(t, onlyPolicies), fsnotify.NewWatcher)
	s.quiet()
	write(t, map[string]string{"policies/a.rego": "two"})
	s.expect("two")
}

func TestWatch_TellsAtOnceWhatChangedBeforeItStarted(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	last := loaded(t, onlyPolicies)
	write(t, map[string]string{"policies/a.rego": "two"})
	watch(t, watched("policies"), last, fsnotify.NewWatcher).expect("two")
}

func TestWatch_TellsNothingWhenTheSameIsSavedAgain(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	s := started(t, watched("policies"))
	write(t, map[string]string{"policies/a.rego": "one", "policies/README.md": "x", "policies/.a.swp": "x"})
	s.quiet()
}

func TestWatch_SeesAnEditorRenameAFileIntoPlace(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	s := started(t, watched("policies"))
	for _, text := range []string{"two", "three"} {
		write(t, map[string]string{"policies/a.rego.tmp": text})
		must(t, os.Rename("policies/a.rego.tmp", "policies/a.rego"))
		s.expect(text)
	}
	s.quiet()
}

func TestWatch_SeesAnEditorKeepABackup(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	s := started(t, watched("policies"))
	for _, text := range []string{"two", "three"} {
		must(t, os.Rename("policies/a.rego", "policies/a.rego~"))
		write(t, map[string]string{"policies/a.rego": text})
		must(t, os.Remove("policies/a.rego~"))
		s.expect(text)
	}
	s.quiet()
}

func TestWatch_TellsAPartialWriteOnceAndWhole(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": rego, "policies/data.yaml": "x: 1"})
	cfg := watched("policies")
	cfg.Debounce = 500 * time.Millisecond
	s := started(t, cfg)
	write(t, map[string]string{"policies/data.yaml": "x: ["})
	<-time.After(30 * time.Millisecond)
	write(t, map[string]string{"policies/data.yaml": "x: [2]"})
	if o := s.next(10 * time.Second); o.err != nil {
		t.Fatal(o.err)
	}
	s.quiet()
}

func TestWatch_ABusyDirectoryIsStillLoaded(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	s := started(t, watched("policies"))
	write(t, map[string]string{"policies/a.rego": "two"})
	noise := time.NewTicker(20 * time.Millisecond)
	defer noise.Stop()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case o := <-s.calls:
			if o.text() != "two" {
				t.Errorf("told %q", o.text())
			}
			return
		case <-noise.C:
			write(t, map[string]string{"policies/noise.log": "x"})
		case <-deadline:
			t.Fatal("nothing was told")
		}
	}
}

func TestWatch_SeesAConfigMapSwap(t *testing.T) {
	inside(t, map[string]string{"policies/..1/a.rego": "one"})
	must(t, os.Symlink("..1", "policies/..data"))
	must(t, os.Symlink("..data/a.rego", "policies/a.rego"))
	s := started(t, watched("policies"))
	for _, text := range []string{"two", "three"} {
		dir := ".." + text
		write(t, map[string]string{"policies/" + dir + "/a.rego": text})
		must(t, os.Symlink(dir, "policies/..data_tmp"))
		must(t, os.Rename("policies/..data_tmp", "policies/..data"))
		s.expect(text)
	}
	must(t, os.RemoveAll("policies/..1"))
	s.quiet()
}

func TestWatch_SeesALinkOnTheWaySwapped(t *testing.T) {
	inside(t, map[string]string{"releases/1/policies/a.rego": "one", "releases/2/policies/a.rego": "two"})
	must(t, os.Symlink("1", "releases/current"))
	must(t, os.Symlink("releases/current/policies", "policies"))
	s := started(t, watched("policies"))
	must(t, os.Symlink("2", "releases/next"))
	must(t, os.Rename("releases/next", "releases/current"))
	s.expect("two")
	write(t, map[string]string{"releases/2/policies/a.rego": "three"})
	s.expect("three")
}

func TestWatch_SeesTheTargetOfALinkChange(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one", "else/b.rego": "two"})
	must(t, os.Symlink("../else/b.rego", "policies/b.rego"))
	s := started(t, watched("policies"))
	write(t, map[string]string{"else/b.rego": "three"})
	s.expect("onethree")
}

func TestWatch_SeesADirectoryDeletedAndRestored(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	s := started(t, watched("policies"))
	for range 2 {
		must(t, os.RemoveAll("policies"))
		s.expect("error: policies: directory_error: the directory does not exist")
		write(t, map[string]string{"policies/a.rego": "one"})
		s.expect("one")
	}
	write(t, map[string]string{"policies/a.rego": "two"})
	s.expect("two")
}

func TestWatch_SeesADirectoryAppearWithThoseAboveIt(t *testing.T) {
	inside(t, nil)
	s := watch(t, watched("far/away/policies"), nil, fsnotify.NewWatcher)
	s.expect("error: far/away/policies: directory_error: the directory does not exist")
	write(t, map[string]string{"far/away/policies/a.rego": "one"})
	s.expect("one")
}

func TestWatch_SeesANewSubDirectoryAndWhatChangesInIt(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	s := started(t, watched("policies"))
	write(t, map[string]string{"policies/deep/er/b.rego": "two"})
	s.expect("onetwo")
	write(t, map[string]string{"policies/deep/er/b.rego": "three"})
	s.expect("onethree")
	must(t, os.RemoveAll("policies/deep"))
	s.expect("one")
}

func TestWatch_TellsAnErrorOnceAndTheWayBackToTheSameDigest(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": rego, "policies/data.yaml": "x: 1"})
	last := loaded(t, onlyPolicies)
	s := started(t, watched("policies")) // its first look is over, so that it cannot fall into a write
	write(t, map[string]string{"policies/data.yaml": "x: 1\nx: 2"})
	const want = "error: policies/data.yaml:2:1: data_error: duplicate key \"x\", first on line 1"
	s.expect(want)
	write(t, map[string]string{"policies/data.yaml": "x: 1\nx: 3"}) // as wrong as before
	s.quiet()
	write(t, map[string]string{"policies/data.yaml": "x: 1"})
	if o := s.next(10 * time.Second); o.err != nil || o.set.Digest != last.Digest {
		t.Errorf("told %q", o.text())
	}
}

func TestWatch_IgnoresTheNeighbours(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one", "neighbour": "x"})
	e, err := watchDirs(fsnotify.NewWatcher, watched("policies"))
	must(t, err)
	defer e.close()
	dir, err := os.Getwd()
	must(t, err)
	must(t, os.WriteFile("policies/notes.txt", nil, 0o600))
	for name, want := range map[string]relevance{"/neighbour": irrelevant, "/policies": possible, "/policies/x": possible, "/policies/notes.txt": irrelevant, "/policies/a.rego": certain} {
		if got := e.relevance(fsnotify.Event{Name: dir + name}); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func polled() Config {
	return Config{Paths: []string{"policies"}, Debounce: 50 * time.Millisecond, Poll: 60 * time.Millisecond}
}

func TestWatch_PollsWhenThereAreNoEvents(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	s := watch(t, polled(), nil, noEvents)
	s.expect("one")
	write(t, map[string]string{"policies/a.rego": "two"})
	s.expect("two")
	must(t, os.RemoveAll("policies"))
	s.expect("error: policies: directory_error: the directory does not exist")
	s.quiet()
	write(t, map[string]string{"policies/a.rego": "two"})
	s.expect("two")
	if got := strings.Count(s.log.String(), "level=WARN"); got != 1 || !strings.Contains(s.log.String(), "no inotify instances left") {
		t.Errorf("log:\n%s", s.log)
	}
}

func TestWatch_PollWaitsUntilTheChangesAreOver(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	cfg := polled()
	cfg.Debounce = 300 * time.Millisecond
	s := watch(t, cfg, nil, noEvents)
	s.expect("one")
	for i := range 8 {
		write(t, map[string]string{"policies/a.rego": strings.Repeat("x", i+1)})
		<-time.After(80 * time.Millisecond)
	}
	s.expect("xxxxxxxx")
}

func TestWatch_PollSeesWhatNoEventReports(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	s := watch(t, polled(), nil, func() (*fsnotify.Watcher, error) {
		w, err := fsnotify.NewWatcher()
		if err == nil {
			w.Events = make(chan fsnotify.Event) // its own is never read
		}
		return w, err
	})
	s.expect("one")
	write(t, map[string]string{"policies/a.rego": "two"})
	s.expect("two")
	if s.log.String() != "" {
		t.Errorf("log:\n%s", s.log)
	}
}

func TestWatch_EyesThatCloseAreOpenedAgain(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	opened := make(chan *fsnotify.Watcher, 10)
	s := watch(t, watched("policies"), nil, func() (*fsnotify.Watcher, error) {
		w, err := fsnotify.NewWatcher()
		opened <- w
		return w, err
	})
	s.expect("one")
	must(t, (<-opened).Close())
	select {
	case <-opened:
	case <-time.After(10 * time.Second):
		t.Fatal("they stay closed")
	}
	s.quiet()
	write(t, map[string]string{"policies/a.rego": "two"})
	s.expect("two")
}

func TestWatch_LostEventsAreAReasonToLook(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	errs := make(chan error, 1)
	s := watch(t, watched("policies"), nil, func() (*fsnotify.Watcher, error) {
		w, err := fsnotify.NewWatcher()
		if err == nil {
			_ = w.Close()
			w.Events, w.Errors = make(chan fsnotify.Event), errs
		}
		return w, err
	})
	s.expect("one")
	write(t, map[string]string{"policies/a.rego": "two"})
	errs <- fsnotify.ErrEventOverflow
	s.expect("two")
}

func TestWatch_DirectoryThatCannotBeWatchedIsWarnedOf(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	s := watch(t, polled(), nil, func() (*fsnotify.Watcher, error) {
		w, err := fsnotify.NewWatcher()
		if err == nil {
			err = w.Close() // a closed watcher refuses every directory
			w.Events, w.Errors = make(chan fsnotify.Event), make(chan error)
		}
		return w, err
	})
	s.expect("one")
	write(t, map[string]string{"policies/a.rego": "two"})
	s.expect("two")
	if !strings.Contains(s.log.String(), "watch directory") {
		t.Errorf("log:\n%s", s.log)
	}
}

func TestWatch_LeavesNothingBehind(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	s := started(t, watched("policies"))
	for _, text := range []string{"two", "three"} {
		write(t, map[string]string{"policies/a.rego": text})
		s.expect(text)
	}
	s.stop()
	deadline := time.After(10 * time.Second)
	for {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		if !bytes.Contains(stacks, []byte("fsnotify.(")) && !bytes.Contains(stacks, []byte("(*Watcher).Run")) {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("still running:\n%s", stacks)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestNewWatcher_NeedsTimes(t *testing.T) {
	for _, cfg := range []Config{{Debounce: 0, Poll: 1}, {Debounce: 1, Poll: 0}} {
		if _, err := NewWatcher(cfg, slog.Default()); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}
