package app

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

// presses is a compiler that the test holds: a set that contains the word of a press is compiled when it is released.
type presses struct {
	mu    sync.Mutex
	held  map[string]chan struct{}
	begun map[string]int
}

func (p *presses) hold(word string) (release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := make(chan struct{})
	p.held[word] = c
	return sync.OnceFunc(func() { close(c) })
}

func (p *presses) count(word string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.begun[word]
}

// pressed starts a sidecar whose compiler is in the test's hands, with a file that it edits.
func pressed(t *testing.T, timeout time.Duration) (*world, *presses) {
	t.Helper()
	p := &presses{held: map[string]chan struct{}{}, begun: map[string]int{}}
	w := &world{issuer: authserver.Start(t, knowsTheSidecar())}
	w.cfg = configuration(t, w.issuer.Issuer())
	w.cfg.Engine.CompileTimeout, w.cfg.Policies.Debounce = time.Minute, 10*time.Millisecond
	w.built = func(a *App) {
		a.cfg.Engine.CompileTimeout = timeout // from here on: the first policies are compiled in any case
		usual := a.loader.compile
		a.loader.compile = func(set *bundle.Set, ended chan<- *compilation) *compilation {
			for _, m := range set.Bundles[0].Modules {
				_, word, marked := strings.Cut(string(m.Raw), "# press ")
				if !marked {
					continue
				}
				p.mu.Lock()
				held := p.held[word]
				p.begun[word]++
				p.mu.Unlock()
				c, inner := &compilation{set: set, begun: time.Now()}, make(chan *compilation, 1)
				go func() {
					if held != nil {
						<-held
					}
					usual(set, inner)
					done := <-inner
					c.policy, c.err = done.policy, done.err
					ended <- c
				}()
				return c
			}
			return usual(set, ended)
		}
	}
	w.run(t)
	return w, p
}

// running is how many compilations are under way.
func running(l *loader) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.running)
}

func (w *world) press(t *testing.T, word string) {
	t.Helper()
	testkit.WriteFile(t, w.policyFile("press.rego"), "package press\n\n# press "+word)
}

func (w *world) code(t *testing.T) string {
	t.Helper()
	if e := w.status(t).Policy.Errors; len(e) > 0 {
		return strings.Fields(e[0].Text)[1]
	}
	return ""
}

// TestALateCompilationIsActivatedWhenItStillIsOnDisk, and is not begun twice for the same content.
func TestALateCompilationIsActivatedWhenItStillIsOnDisk(t *testing.T) {
	w, p := pressed(t, 100*time.Millisecond)
	release := p.hold("one")
	defer release()
	first := w.status(t).Policy.Digest
	w.press(t, "one")
	testkit.Eventually(t, "it is late", func() bool { return w.code(t) == "compile_timeout:" })
	w.press(t, "two")
	testkit.Eventually(t, "the newer one is activated",
		func() bool { s := w.status(t); return s.Policy.Healthy && s.Policy.Digest != first })
	second := w.status(t).Policy.Digest
	w.press(t, "one")
	testkit.Eventually(t, "it is late again", func() bool { return w.code(t) == "compile_timeout:" })
	if p.count("one") != 1 {
		t.Errorf("it was begun %d times", p.count("one"))
	}
	release()
	testkit.Eventually(t, "the late one is activated",
		func() bool { s := w.status(t); return s.Policy.Healthy && s.Policy.Digest != second })
}

// TestWhatIsCompiledTooLateForANewerSetIsNotActivated: the newest set decides, in whatever order compilations end.
func TestWhatIsCompiledTooLateForANewerSetIsNotActivated(t *testing.T) {
	w, p := pressed(t, time.Minute)
	release := p.hold("one")
	defer release()
	w.press(t, "one")
	testkit.Eventually(t, "it is compiled", func() bool { return p.count("one") == 1 })
	w.press(t, "two")
	testkit.Eventually(t, "the newer one is activated",
		func() bool { return strings.Contains(w.logger.String(), "policies activated") })
	newest := w.status(t).Policy.Digest
	release()
	testkit.Eventually(t, "the old one has ended", func() bool { return running(w.app.loader) == 0 })
	if got := w.status(t).Policy.Digest; got != newest {
		t.Errorf("%s decides, want %s", got, newest)
	}
}

// TestASignatureThatComesDuringACompilationIsNamed: the files are equal, and the policy names who signed them.
func TestASignatureThatComesDuringACompilationIsNamed(t *testing.T) {
	w, p := pressed(t, time.Minute)
	release := p.hold("one")
	defer release()
	w.press(t, "one")
	testkit.Eventually(t, "it is compiled", func() bool { return p.count("one") == 1 })
	read, err := dir.Load(w.app.cfg.Policies.Config)
	if err != nil {
		t.Fatal(err)
	}
	signed := *read
	signed.Bundles = slices.Clone(read.Bundles)
	signed.Bundles[0].Signed.Signers = []authz.Signer{{KeyID: "ann", Algorithm: "ES256"}}
	release()
	testkit.Eventually(t, "the signer is named", func() bool {
		w.app.loader.updates <- update{&signed, nil} // again and again: the watcher reports the file without, once
		named := w.app.point.Snapshot().Policy.Bundles()[signed.Bundles[0].Name].Signers
		return len(named) == 1 && named[0].KeyID == "ann"
	})
}

// TestNoMoreThanAFewCompilationsRun: those that do not end take a processor each. The one that waits is begun when one
// ends.
func TestNoMoreThanAFewCompilationsRun(t *testing.T) {
	w, p := pressed(t, 50*time.Millisecond)
	var releases []func()
	for i := range maxCompilations {
		word := fmt.Sprint("stuck-", i)
		releases = append(releases, p.hold(word))
		defer releases[i]()
		w.press(t, word)
		testkit.Eventually(t, "it is compiled", func() bool { return p.count(word) == 1 })
	}
	w.press(t, "good")
	testkit.Eventually(t, "it is said that there is no room", func() bool { return w.code(t) == "compile_busy:" })
	if p.count("good") != 0 {
		t.Error("it was begun")
	}
	releases[0]()
	testkit.Eventually(t, "it is activated", func() bool { return w.status(t).Policy.Healthy && p.count("good") == 1 })
}

// TestStopDoesNotWaitForWhatHangs: a part that never ends is left behind, and named.
func TestStopDoesNotWaitForWhatHangs(t *testing.T) {
	forever := make(chan struct{})
	defer close(forever)
	w := start(t, func(c *config.Config) { c.ShutdownTimeout = 2 * time.Second })
	w.app.stops = append([]stop{{"a part that hangs", func(context.Context) error { <-forever; return nil }}},
		w.app.stops...)
	if err := w.stopped(t); err == nil || !strings.Contains(err.Error(), "stop a part that hangs: not done in time") {
		t.Errorf("the stop ended with %v", err)
	}
	for _, line := range []string{"msg=\"stopping: a signal asked for it",
		"msg=\"stopped, but some parts did not end\""} {
		if !strings.Contains(w.logger.String(), line) {
			t.Errorf("the log has no %s: %s", line, w.logger)
		}
	}
}

// TestAPolicyThatGivesNoVerdictsIsNotHealthy: it loaded, so that nothing else would say so.
func TestAPolicyThatGivesNoVerdictsIsNotHealthy(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	for range 90 {
		w.app.point.Snapshot().Evaluated(nil)
	}
	for range 9 {
		w.app.point.Snapshot().Evaluated(authz.Errorf(authz.Misconfigured, "undefined"))
	}
	if s := w.status(t); !s.Policy.Healthy {
		t.Errorf("the status says %+v", s.Policy)
	}
	w.app.point.Snapshot().Evaluated(authz.Errorf(authz.Misconfigured, "undefined"))
	s := w.status(t)
	if s.Policy.Healthy || len(s.Policy.Errors) != 1 ||
		!strings.Contains(s.Policy.Errors[0].Text, "misconfigured_decisions: 10 of 100 evaluations") {
		t.Errorf("the status says %+v", s.Policy)
	}
	if !strings.Contains(w.get(t, "/metrics"), "\nsidecar_app_policy_misconfigured_ratio 0.1\n") {
		t.Error("the metrics do not say so")
	}
	testkit.Eventually(t, "the log warns",
		func() bool { return strings.Contains(w.logger.String(), "give no verdict for many requests") })
	w.app.warnWithoutVerdicts()
	if got := strings.Count(w.logger.String(), "give no verdict for many requests"); got != 1 {
		t.Errorf("the log warns %d times", got)
	}
	w.edit(t, "routes/data.yaml", "orders:read", "orders:inspect")
	testkit.Eventually(t, "another policy begins anew", func() bool { return w.status(t).Policy.Healthy })
}

// TestAChangeThatDoesNotEndIsSaidToBeWaitedFor: the last good policies go on deciding.
func TestAChangeThatDoesNotEndIsSaidToBeWaitedFor(t *testing.T) {
	w := start(t, nil)
	why := bundle.Problem{File: "policies/a.rego", Code: bundle.CodeChanging,
		Message: "a process has the file open for writing"}
	w.app.waiting(&why)
	s := w.status(t)
	if s.Policy.Healthy || len(s.Policy.Errors) != 1 || s.Policy.Errors[0].Text != why.String() ||
		s.Policy.WaitingSince.IsZero() {
		t.Errorf("the status says %+v", s.Policy)
	}
	metric := func(line string) bool { return strings.Contains(w.get(t, "/metrics"), "\n"+line+"\n") }
	if !metric("sidecar_app_reload_waiting 1") || !metric("sidecar_app_reload_failing 0") {
		t.Error("the metrics do not say so")
	}
	w.app.waiting(&why)
	if got := strings.Count(w.logger.String(), "policies on disk keep changing"); got != 1 {
		t.Errorf("the log says so %d times", got)
	}
	if got := w.ask(t, w.token(t, good())); !got.Allow {
		t.Errorf("got %v", got)
	}
	w.app.waiting(nil)
	if s := w.status(t); !s.Policy.Healthy || !metric("sidecar_app_reload_waiting 0") {
		t.Errorf("the status says %+v", s.Policy)
	}
}

// TestAReloadTellsWhatIsWrongWithFilesAndPoliciesAtOnce, as check does.
func TestAReloadTellsWhatIsWrongWithFilesAndPoliciesAtOnce(t *testing.T) {
	w, _ := pressed(t, time.Minute)
	testkit.WriteFile(t, w.policyFile("wrong.rego"),
		"package wrong\n\nx if input.method == \"GET\"\n\ny if data.lost.z\n")
	if err := os.Mkdir(w.policyFile("lost"), 0o755); err != nil {
		t.Fatal(err)
	}
	testkit.WriteFile(t, w.policyFile("lost/data.json"), "{")
	testkit.Eventually(t, "both are told, and nothing else", func() bool {
		said := w.status(t).Policy.Errors
		return len(said) == 2 && strings.Contains(said[0].Text, "data_error") &&
			strings.Contains(said[1].Text, "input.request.method")
	})
}
