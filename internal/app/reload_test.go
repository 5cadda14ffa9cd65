package app

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/status"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// sample is one answer to the load of a test.
type sample struct {
	at  time.Time // when it was asked
	got answer
	err error
}

// load asks 50 times a second until stop is called, which returns all answers in the order of their questions. asked
// is how many questions there were so far.
func (w *world) load(t *testing.T, token string) (asked func() int, stop func() []sample) {
	t.Helper()
	var mu sync.Mutex
	var samples []sample
	var calls sync.WaitGroup
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second / 50)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			mu.Lock()
			i := len(samples)
			samples = append(samples, sample{at: time.Now()})
			mu.Unlock()
			calls.Go(func() {
				got, err := w.try(t.Context(), token)
				mu.Lock()
				defer mu.Unlock()
				samples[i].got, samples[i].err = got, err
			})
		}
	}()
	asked = func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(samples)
	}
	return asked, func() []sample {
		close(done)
		<-ended
		calls.Wait()
		return samples
	}
}

// edit saves a file of the policies with every occurrence of one text replaced, and returns when that was done.
func (w *world) edit(t *testing.T, name, from, to string) time.Time {
	t.Helper()
	b, err := os.ReadFile(w.policyFile(name))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), from) {
		t.Fatalf("%s does not hold %q", name, from)
	}
	testkit.WriteFile(t, w.policyFile(name), strings.ReplaceAll(string(b), from, to))
	return time.Now()
}

// TestEditedScopeFlipsTheVerdictUnderLoad saves one edit after the other. No request may fail or be decided by a
// mixture, ever. How soon the verdict flips is logged here and measured by "make bench": a test's machine may be busy.
func TestEditedScopeFlipsTheVerdictUnderLoad(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	tok := w.token(t, good())
	scopes := [...]string{"orders:read", "orders:inspect"}
	for i := range 4 {
		if got := w.ask(t, tok); got.Allow != (i%2 == 0) {
			t.Fatalf("got %v before edit %d", got, i)
		}
		t.Logf("the verdict flipped %s after the save",
			w.flip(t, tok, scopes[i%2], scopes[(i+1)%2]).Round(time.Millisecond))
	}
}

// flip edits the scope of the routes under load, and returns how long after the save a request was last decided by the
// old policy.
func (w *world) flip(t *testing.T, tok, from, to string) time.Duration {
	t.Helper()
	old := w.ask(t, tok)
	asked, stop := w.load(t, tok)
	testkit.Eventually(t, "the load is on", func() bool { return asked() > 5 })
	saved := w.edit(t, filepath.Join("routes", "data.yaml"), from, to)
	testkit.Eventually(t, "the verdict flips", func() bool { return w.ask(t, tok).Allow != old.Allow })
	after := asked()
	testkit.Eventually(t, "the load goes on", func() bool { return asked() > after+5 })
	var last time.Time
	flipped := 0
	for _, s := range stop() {
		if s.err != nil {
			t.Fatalf("a request failed: %v", s.err)
		}
		isOld := s.got.Policy.Digest == old.Policy.Digest
		if isOld && s.at.After(last) {
			last = s.at
		}
		if !isOld {
			flipped++
		}
		if isOld != (s.got.Allow == old.Allow) ||
			!s.got.is("allow", 200, "") && !s.got.is("deny", 403, "insufficient_scope") {
			t.Errorf("decided by a mixture: %v under %s", s.got, s.got.Policy.Digest)
		}
	}
	if flipped == 0 {
		t.Error("no request of the load was decided by the new policy")
	}
	return max(0, last.Sub(saved))
}

// recently reports whether a metric is a time within the last ten minutes.
func recently(page, metric string) bool {
	_, rest, _ := strings.Cut(page, "\n"+metric+" ")
	text, _, _ := strings.Cut(rest, "\n")
	seconds, err := strconv.ParseFloat(text, 64)
	return err == nil && math.Abs(time.Since(time.Unix(int64(seconds), 0)).Minutes()) < 10
}

func TestBrokenEditKeepsDecidingAndSaysSo(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	tok := w.token(t, good())
	before := w.ask(t, tok)
	metric := func(line string) bool { return strings.Contains(w.get(t, "/metrics"), "\n"+line+"\n") }
	if !metric("sidecar_app_reload_failing 0") || !metric(`sidecar_app_reloads_total{outcome="ok"} 1`) {
		t.Error("the metrics do not tell of the first load")
	}
	page := w.get(t, "/metrics")
	if !strings.Contains(page, `sidecar_app_policy_info{digest="`+before.Policy.Digest+`"`) ||
		!recently(page, "sidecar_app_policy_active_timestamp_seconds") ||
		!recently(page, "sidecar_app_reload_success_timestamp_seconds") {
		t.Error("the metrics do not name the policy that decides, and since when")
	}

	_, stop := w.load(t, tok)
	broken := w.policyFile("broken.rego")
	testkit.WriteFile(t, broken, "package broken\n\nallow := input.token.scpoes\n")
	var s status.Report
	testkit.Eventually(t, "the status tells of the broken policy", func() bool {
		s = w.status(t)
		return len(s.Policy.Errors) > 0 && s.Policy.Errors[0].File == broken
	})
	place := fmt.Sprintf("%s:3:", broken)
	if e := s.Policy.Errors; len(e) == 0 || e[0].File != broken || e[0].Row != 3 || e[0].Col == 0 ||
		!strings.HasPrefix(e[0].Text, place) {
		t.Errorf("the status says %+v", s.Policy)
	}
	if !s.Ready || s.Policy.Digest != before.Policy.Digest {
		t.Errorf("ready %t, serving %s", s.Ready, s.Policy.Digest)
	}
	if !w.logger.Has(place) {
		t.Errorf("the logger does not name %s: %s", place, w.logger)
	}
	if ready := w.get(t, "/readyz"); !strings.Contains(ready, `"healthy": false`) || strings.Contains(ready, "rego") {
		t.Errorf("readiness says %s", ready)
	}
	if !metric("sidecar_app_reload_failing 1") || !metric(`sidecar_app_reloads_total{outcome="failed"} 1`) {
		t.Error("the metrics do not tell of the failed load")
	}
	if got := w.ask(t, tok); !got.Allow || got.Policy.Digest != before.Policy.Digest {
		t.Errorf("got %v by %s", got, got.Policy.Digest)
	}

	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "undoing heals", func() bool { return w.status(t).Policy.Healthy })
	if !metric("sidecar_app_reload_failing 0") || !metric(`sidecar_app_reloads_total{outcome="ok"} 2`) ||
		len(w.status(t).Policy.Errors) != 0 {
		t.Error("the fault is not forgotten")
	}
	for _, s := range stop() {
		if s.err != nil || !s.got.Allow || s.got.Policy.Digest != before.Policy.Digest {
			t.Errorf("decided %v: %v", s.got, s.err)
		}
	}
}

func TestDeletedPoliciesKeepDeciding(t *testing.T) {
	w := start(t, nil)
	tok := w.token(t, good())
	dir := w.cfg.Policies.Paths[0]
	rename(t, dir, dir+".away")
	testkit.Eventually(t, "the status tells of it", func() bool { return !w.status(t).Policy.Healthy })
	if got := w.ask(t, tok); !got.Allow {
		t.Errorf("got %v", got)
	}
	rename(t, dir+".away", dir)
	testkit.Eventually(t, "the restored directory heals", func() bool { return w.status(t).Policy.Healthy })
}

func TestEntrypointCannotBeTakenAway(t *testing.T) {
	w := start(t, nil)
	w.edit(t, filepath.Join("authz", "decision.rego"), "package authz", "package other")
	testkit.Eventually(t, "the status tells of it", func() bool { return !w.status(t).Policy.Healthy })
	if got := w.ask(t, w.token(t, good())); !got.Allow {
		t.Errorf("got %v", got)
	}
}

func TestProblemThatHasNoPlaceIsToldToo(t *testing.T) {
	if got := problemsOf(os.ErrInvalid); len(got) != 1 || got[0].Text != os.ErrInvalid.Error() ||
		got[0].Code != "internal_error" {
		t.Errorf("got %+v", got)
	}
}
