package recent_test

import (
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/recent"
)

var start = time.Unix(1_800_000_000, 0)

func TestTheNewestHalfOfTheEntriesIsAlwaysKept(t *testing.T) {
	const size = 10
	m := recent.New[int, int](size, time.Hour) // without one, looking an entry up would keep it
	for i := range 100 {
		m.Put(i, i, start)
		kept := 0
		for k := range i + 1 {
			if _, ok := m.Get(k, start); ok {
				kept++
			} else if k > i-size/2 {
				t.Fatalf("after %d entries, entry %d is forgotten", i+1, k)
			}
		}
		if kept > size {
			t.Fatalf("after %d entries, %d are kept, want at most %d", i+1, kept, size)
		}
	}
}

func TestAnEntryInUseStaysWithoutALifetime(t *testing.T) {
	m := recent.New[int, string](10, 0)
	m.Put(-1, "in use", start)
	for i := range 100 {
		m.Put(i, "", start)
		if v, ok := m.Get(-1, start); !ok || v != "in use" {
			t.Fatalf("after %d other entries: got %q, %v", i+1, v, ok)
		}
	}
}

func TestAnEntryLastsForTheLifetimeAndAtMostThreeTimesThat(t *testing.T) {
	for _, put := range []time.Duration{0, time.Second, 59 * time.Second, time.Minute} {
		m := recent.New[int, int](10, time.Minute)
		m.Put(0, 0, start)
		m.Put(1, 1, start.Add(put))
		for after := time.Duration(0); after < 5*time.Minute; after += time.Second {
			_, ok := m.Get(1, start.Add(put+after))
			if !ok && after < time.Minute || ok && after >= 3*time.Minute {
				t.Errorf("put after %v, looked up %v later: kept is %v", put, after, ok)
			}
		}
	}
}
