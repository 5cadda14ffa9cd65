package transmitter

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// Ledger is an Evictor, a Limiter and a log that remember, and reads what is counted.
type Ledger struct {
	mu       sync.Mutex
	evicted  []authz.Revocation
	failing  bool
	registry testkit.Registry
	limits   []time.Duration
	text     bytes.Buffer
}

// Evict fails or remembers.
func (l *Ledger) Evict(r authz.Revocation) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failing {
		return 0, errors.New("no room")
	}
	l.evicted = append(l.evicted, r)
	return 1, nil
}

// CapTTL remembers the lifetime.
func (l *Ledger) CapTTL(_ string, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limits = append(l.limits, d)
}

// Write appends to the log.
func (l *Ledger) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// Log returns the log.
func (l *Ledger) Log() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// All returns what was evicted.
func (l *Ledger) All() []authz.Revocation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.evicted)
}

// Lifetimes returns the limits of lifetimes.
func (l *Ledger) Lifetimes() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.limits)
}

// FailEvictions makes evictions fail from now on.
func (l *Ledger) FailEvictions() { l.setFailing(true) }

// AllowEvictions lets evictions succeed from now on.
func (l *Ledger) AllowEvictions() { l.setFailing(false) }

func (l *Ledger) setFailing(failing bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failing = failing
}

// Reset forgets what was evicted.
func (l *Ledger) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.evicted = nil
}

// Wants compares what was evicted, without the time of the events and the session that ended.
func Wants(t testing.TB, l *Ledger, want ...authz.Revocation) {
	t.Helper()
	got := l.All()
	for i := range got {
		if !got[i].Event {
			t.Errorf("revocation %d is not marked as that of an event", i)
		}
		got[i].At, got[i].Event, got[i].OfSession = time.Time{}, false, ""
	}
	for i := range want {
		want[i].Issuer = Name
	}
	if !slices.Equal(got, want) {
		t.Errorf("evicted %+v, want %+v", got, want)
	}
}

// Registry is where the receivers under test count.
func (l *Ledger) Registry() testkit.Registry {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.registry.Registry == nil {
		l.registry = testkit.NewRegistry()
	}
	return l.registry
}

// Of returns how many signals had an outcome.
func (l *Ledger) Of(outcome string) int { return l.Outcomes()[outcome] }

// Outcomes returns how many signals had each outcome; outcomes of none are left out.
func (l *Ledger) Outcomes() map[string]int {
	out := map[string]int{}
	families, err := l.Registry().Gather()
	if err != nil {
		panic(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			for _, label := range m.Label {
				if n := int(m.GetCounter().GetValue()); label.GetName() == "outcome" && n > 0 {
					out[label.GetValue()] += n
				}
			}
		}
	}
	return out
}
