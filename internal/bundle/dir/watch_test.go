package dir

import (
	"bytes"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

func TestWatch_ReportsASaveOnce(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	s := started(t, watched("policies"))
	write(t, map[string]string{"policies/a.rego": "two"})
	s.expect("two")
	s.quiet()
}

func TestWatch_ReportsNothingWhenTheSetIsTheOneItWasGiven(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	s := watch(t, watched("policies"), loaded(t, onlyPolicies), fsnotify.NewWatcher)
	s.quiet()
	write(t, map[string]string{"policies/a.rego": "two"})
	s.expect("two")
}

func TestWatch_ReportsAtOnceWhatChangedBeforeItStarted(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	last := loaded(t, onlyPolicies)
	write(t, map[string]string{"policies/a.rego": "two"})
	watch(t, watched("policies"), last, fsnotify.NewWatcher).expect("two")
}

func TestWatch_ReportsNothingWhenTheSameIsSavedAgain(t *testing.T) {
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

func TestWatch_ABusyDirectoryIsStillLoaded(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	s := started(t, watched("policies"))
	write(t, map[string]string{"policies/a.rego": "two"})
	noise := time.NewTicker(20 * time.Millisecond)
	defer noise.Stop()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case o := <-s.reports:
			if o.text() != "two" {
				t.Errorf("reported %q", o.text())
			}
			return
		case <-noise.C:
			write(t, map[string]string{"policies/noise.log": "x"})
		case <-deadline:
			t.Fatal("nothing was reported")
		}
	}
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

func TestWatch_ReportsAnErrorOnceAndTheWayBackToTheSameDigest(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": rego, "policies/data.yaml": "x: 1"})
	last := loaded(t, onlyPolicies)
	s := started(t, watched("policies")) // its first reading is over, so that no write is in it
	write(t, map[string]string{"policies/data.yaml": "x: 1\nx: 2"})
	const want = "error: policies/data.yaml:2:1: data_error: duplicate key \"x\", first on line 1"
	s.expect(want)
	write(t, map[string]string{"policies/data.yaml": "x: 1\nx: 3"}) // as wrong as before
	s.quiet()
	write(t, map[string]string{"policies/data.yaml": "x: 1"})
	if o := s.next(); o.err != nil || o.set.Digest != last.Digest {
		t.Errorf("reported %q", o.text())
	}
}

func TestWatch_FilesBesideAreIrrelevant(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one", "neighbour": "x"})
	e, err := watchDirs(fsnotify.NewWatcher, watched("policies"))
	must(t, err)
	defer e.close()
	dir, err := os.Getwd()
	must(t, err)
	must(t, os.WriteFile("policies/notes.txt", nil, 0o600))
	for name, want := range map[string]relevance{
		"/neighbour": irrelevant, "/policies": possible, "/data.json": possible,
		"/policies/x": possible, "/policies/notes.txt": irrelevant, "/policies/a.rego": certain,
	} {
		if got := e.relevance(fsnotify.Event{Name: dir + name}); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
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
		t.Errorf("log:\n%s", &s.log)
	}
}

func TestWatch_WatchesThatCloseAreOpenedAgain(t *testing.T) {
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

func TestWatch_LostEventsTriggerAReading(t *testing.T) {
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

func TestWatch_WarnsOfADirectoryThatCannotBeWatched(t *testing.T) {
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
		t.Errorf("log:\n%s", &s.log)
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
