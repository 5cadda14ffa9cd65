package dir

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

func TestPoll_ReadsNothingAgainThatHasNotChanged(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one", "policies/data.json": `{"x": 1}`})
	info, err := os.Stat("policies/a.rego")
	must(t, err)
	cfg := polled()
	cfg.Debounce, cfg.Poll = 20*time.Millisecond, 100*time.Millisecond
	s := watch(t, cfg, nil, noEvents)
	s.expect("one")
	s.stillness()
	write(t, map[string]string{"policies/a.rego": "two"}) // as long as before
	must(t, os.Chtimes("policies/a.rego", info.ModTime(), info.ModTime()))
	s.expect("two")
	s.stillness()
	must(t, os.WriteFile("policies/data.json", []byte(`{"x": 2}`), 0o600))
	s.expect("two")
}

// stillness returns when some polls in a row have read nothing.
func (s *session) stillness() {
	s.t.Helper()
	for quiet, until := 0, time.After(patience); quiet < 5; {
		select {
		case read := <-s.polls:
			if quiet++; read {
				quiet = 0
			}
		case <-until:
			s.t.Fatal("the files are read again and again")
		}
	}
}

func TestPoll_SeesAReturnToFilesThatWereReadBeforeOthersWereLoaded(t *testing.T) {
	inside(t, map[string]string{"v1/a.rego": "one", "v2/a.rego": "two"})
	link := func(to string) {
		must(t, os.Symlink(to, "new"))
		must(t, os.Rename("new", "policies"))
	}
	link("v1")
	w, err := NewWatcher(polled(), slog.New(slog.DiscardHandler))
	must(t, err)
	w.open = noEvents
	r := &run{w: w, timer: time.NewTimer(time.Hour), reports: Reports{Changed: func(*bundle.Set, error) {}}}
	load := func() {
		files, _ := readOnce(w.cfg, w.scope, usual())
		r.load(t.Context(), files)
	}
	load()
	r.seen = seen{listing: list(w.cfg, w.scope, usual()), since: time.Now(), trusted: true}
	link("v2")
	load() // by an event
	link("v1")
	r.poll()
	if !r.changes.pending() {
		t.Error("a poll misses that the files before are back")
	}
}

func TestPoll_TrustsNoReadingOfFilesThatMayShowAnotherTextUnchanged(t *testing.T) {
	problem := reading{contents: bundle.Contents{Problems: bundle.Problems{{File: "a.rego"}}}}
	for name, c := range map[string]struct {
		of   reading
		want bool
	}{
		"sound": {reading{}, true}, "with a problem": {problem, false},
		"that are written": {reading{unfinished: &bundle.Problem{}}, false},
	} {
		s := seen{trusted: true}
		if s.read(c.of); s.trusted != c.want {
			t.Errorf("%s: trusted %v", name, s.trusted)
		}
	}
}

func TestPoll_SourcesThatAreNoFilesAreComparedByTheirDigests(t *testing.T) {
	of := func(s bundle.Source) listing { return listing{embedded: []bundle.Source{s}} }
	held := bundle.Source{Name: "orders", Layout: bundle.Bundled, ContentDigest: "sha256:1"}
	signed := held
	signed.Signed.Signers = []bundle.Signer{{KeyID: "ann"}}
	newer := held
	newer.ContentDigest = "sha256:2"
	unknown := bundle.Source{Name: "orders", Layout: bundle.Bundled}
	for name, c := range map[string]struct {
		a, b bundle.Source
		same bool
	}{
		"the same": {held, held, true}, "signed": {held, signed, false}, "newer": {held, newer, false},
		"without a digest": {unknown, unknown, false},
		"the library":      {bundle.Source{Layout: bundle.Embedded}, bundle.Source{Layout: bundle.Embedded}, true},
	} {
		if got := sameSources(of(c.a), of(c.b)); got != c.same {
			t.Errorf("%s: %v", name, got)
		}
	}
}
