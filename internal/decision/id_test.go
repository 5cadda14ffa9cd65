package decision

import (
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
)

func TestNoIDIsGivenTwice(t *testing.T) {
	const each = 1000
	now := time.UnixMilli(1_700_000_000_123)
	var mu sync.Mutex
	seen := map[ulid.ULID]bool{}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range each {
				id, err := ulid.ParseStrict(newID(now))
				if err != nil || id.Timestamp().UnixMilli() != now.UnixMilli() {
					t.Errorf("%s: %v", id, err)
				}
				mu.Lock()
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if len(seen) != 8*each {
		t.Errorf("%d ids of %d decisions", len(seen), 8*each)
	}
	random := map[byte]bool{}
	for id := range seen {
		random[id[15]] = true
	}
	if len(random) != 256 {
		t.Errorf("the last byte has %d values", len(random))
	}
}
