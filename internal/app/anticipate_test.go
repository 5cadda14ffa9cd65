package app

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// likely is the set that serves with one more module.
func likely(t *testing.T, w *world, word string) *bundle.Set {
	t.Helper()
	set, err := dir.Load(w.app.cfg.Policies.Config)
	if err != nil {
		t.Fatal(err)
	}
	next := *set
	next.Digest, next.Bundles = "sha256:0123456789abcdef-"+word, slices.Clone(set.Bundles)
	next.Bundles[0].Modules = append([]bundle.File{{Path: "policies/press.rego",
		Raw: []byte("package press\n\n# press " + word)}}, next.Bundles[0].Modules...)
	return &next
}

// TestASetIsCompiledBeforeItIsWanted, and decides only once it is. It is not compiled twice.
func TestASetIsCompiledBeforeItIsWanted(t *testing.T) {
	for name, ended := range map[string]bool{"it is compiled by then": true, "it is being compiled": false} {
		t.Run(name, func(t *testing.T) {
			w, p := pressed(t, time.Minute)
			first := w.status(t).Policy.Digest
			release := p.hold("one")
			defer release()
			next := likely(t, w, "one")
			w.app.loader.guesses <- next
			testkit.Eventually(t, "it is compiled", func() bool { return p.count("one") == 1 })
			if ended {
				release()
				testkit.Eventually(t, "the compilation has ended", func() bool { return running(w.app.loader) == 0 })
			}
			if got := w.status(t).Policy.Digest; got != first {
				t.Fatalf("%s decides, and is only likely", got)
			}
			w.app.loader.updates <- update{next, nil}
			release()
			testkit.Eventually(t, "it decides", func() bool { return w.status(t).Policy.Digest == next.Digest })
			if n := p.count("one"); n != 1 {
				t.Errorf("it was compiled %d times", n)
			}
		})
	}
}

// TestASetThatWasLikelyNeverDecides when another one comes, or none.
func TestASetThatWasLikelyNeverDecides(t *testing.T) {
	w, p := pressed(t, time.Minute)
	first := w.status(t).Policy.Digest
	compiled := func(word string) {
		w.app.loader.guesses <- likely(t, w, word)
		testkit.Eventually(t, "it is compiled",
			func() bool { return p.count(word) == 1 && running(w.app.loader) == 0 })
	}
	compiled("one")
	w.app.loader.guesses <- nil
	compiled("two")
	if got := w.status(t).Policy.Digest; got != first {
		t.Fatalf("%s decides, and was only likely", got)
	}
	other := likely(t, w, "three")
	w.app.loader.updates <- update{other, nil}
	testkit.Eventually(t, "the other one decides", func() bool { return w.status(t).Policy.Digest == other.Digest })
}

// TestOnlyPoliciesThatAreLoadedAnewAreCompiledAside: nothing is answered beside the first.
func TestOnlyPoliciesThatAreLoadedAnewAreCompiledAside(t *testing.T) {
	var works atomic.Int32
	w := &world{given: func(d *Deps) {
		d.Aside = func(work func()) {
			works.Add(1)
			go work()
		}
	}}
	w.start(t, func(*config.Config) {})
	if n := works.Load(); n != 0 {
		t.Errorf("%d works ran aside at the start", n)
	}
	next := likely(t, w, "one")
	w.app.loader.updates <- update{next, nil}
	testkit.Eventually(t, "it decides", func() bool { return w.status(t).Policy.Digest == next.Digest })
	if n := works.Load(); n != 1 {
		t.Errorf("%d works ran aside for one reload", n)
	}
}
