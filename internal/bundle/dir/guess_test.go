package dir

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestWatch_TellsOfASetThatIsLikelyBeforeTheChangesAreOver, once, and then that it is no longer a guess. Only what is
// left when the changes are over is reported.
func TestWatch_TellsOfASetThatIsLikelyBeforeTheChangesAreOver(t *testing.T) {
	for name, c := range map[string]struct {
		at    time.Duration // since the start of the watcher
		after []string      // texts that are written one after the other
		want  string
	}{
		"one change":            {time.Second, []string{"two"}, "likely two, changed two, over"},
		"a guess that is wrong": {time.Second, []string{"two", "three"}, "likely two, changed three, over"},
		"a change taken back":   {time.Second, []string{"two", "one"}, "likely two, over"},
		"no change":             {time.Second, []string{"one"}, ""},
		"a change at the start": {polled().Debounce / 2, []string{"two"}, "likely two, changed two, over"},
	} {
		t.Run(name, func(t *testing.T) {
			inside(t, map[string]string{"policies/a.rego": "one"})
			last := loaded(t, onlyPolicies)
			synctest.Test(t, func(t *testing.T) {
				if got := strings.Join(told(t, last, c.at, c.after), ", "); got != c.want {
					t.Errorf("told %q, want %q", got, c.want)
				}
			})
		})
	}
}

// told is what a watcher tells, in a bubble, of texts that are written to a file from a time on, with pauses between
// them.
func told(t *testing.T, last *bundle.Set, at time.Duration, texts []string) (all []string) {
	t.Helper()
	var log testkit.LogBuffer
	w, err := NewWatcher(polled(), log.Logger())
	must(t, err)
	w.open = noEvents
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	text := func(set *bundle.Set) string { return report{set: set}.text() }
	go func() {
		defer close(ended)
		w.Run(ctx, last, Reports{
			Changed: func(set *bundle.Set, _ error) { all = append(all, "changed "+text(set)) },
			Likely: func(set *bundle.Set) {
				if set == nil {
					all = append(all, "over")
					return
				}
				all = append(all, "likely "+text(set))
			},
		})
	}()
	time.Sleep(at)
	for _, text := range texts {
		write(t, map[string]string{"policies/a.rego": text})
		time.Sleep(polled().Poll + polled().Debounce + polled().Debounce/2)
	}
	time.Sleep(5 * time.Second)
	cancel()
	<-ended
	return slices.Clone(all)
}

// TestWatch_BuildsNoLargeFilesOnAGuess: they cost memory beside those that serve.
func TestWatch_BuildsNoLargeFilesOnAGuess(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one"})
	last := loaded(t, onlyPolicies)
	large := strings.Repeat("x", maxGuess+1)
	synctest.Test(t, func(t *testing.T) {
		if got := told(t, last, time.Second, []string{large}); len(got) != 1 || got[0] != "changed "+large {
			t.Errorf("told %d times", len(got))
		}
	})
}
