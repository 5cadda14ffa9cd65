package cache

import (
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// keep puts claims.
func (s *store) keep(key secret.Fingerprint, c *authz.Claims, life lifetime, marks []mark, now time.Time) {
	s.put(newEntry(key, c), life, marks, now)
}

// lasting is a lifetime without a soft end.
func lasting(d time.Duration) lifetime { return lifetime{d, d, d} }

func TestINT16_AClockThatIsSetForwardIsSeenOnAHit(t *testing.T) {
	s := newStore(10, 1<<20, newStoreCounts(nil, "test"))
	now := time.Now()
	key := secret.Fingerprint{1}
	s.keep(key, &authz.Claims{Active: true, ExpiresAt: authz.At(now.Add(time.Hour)), Fetched: now},
		lasting(24*time.Hour), nil, now)
	if s.get(key, now) == nil {
		t.Fatal("not kept")
	}
	if s.get(key, now.Add(time.Hour)) != nil {
		t.Error("returned past exp")
	}
}

func TestTheBoundInBytesHolds(t *testing.T) {
	const room = 32 << 10
	r := testkit.NewRegistry()
	s := newStore(1000, room, newStoreCounts(r, "test"))
	now := time.Now()
	for n := range 100 {
		s.keep(secret.Fingerprint{byte(n)}, &authz.Claims{Raw: make([]byte, 1<<10), Fetched: now}, lasting(time.Hour),
			nil, now)
		if got := s.stats(); got.Bytes > room || got.Bytes < int64(got.Entries)*int64(fixedCost+1<<10) {
			t.Fatalf("%+v", got)
		}
	}
	if gaveWay(t, r) == 0 {
		t.Error("nothing gave way")
	}
	s.keep(secret.Fingerprint{200}, &authz.Claims{Raw: make([]byte, room), Fetched: now}, lasting(time.Hour), nil, now)
	if s.get(secret.Fingerprint{200}, now) != nil || s.stats().Entries == 0 {
		t.Error("an answer that is larger than all the room took it")
	}
}

func TestSIEVEKeepsWhatIsAskedForThroughAScan(t *testing.T) {
	s := newStore(10, 1<<30, newStoreCounts(nil, "test"))
	now := time.Now()
	put := func(b, c byte) {
		s.keep(secret.Fingerprint{b, c}, &authz.Claims{Fetched: now}, lasting(time.Hour), nil, now)
	}
	for n := range byte(5) {
		put(1, n)
	}
	for scan := range byte(100) {
		for n := range byte(5) {
			if s.get(secret.Fingerprint{1, n}, now) == nil {
				t.Fatalf("entry %d gave way to scan %d", n, scan)
			}
		}
		put(2, scan)
	}
	if got := s.stats().Entries; got != 10 {
		t.Errorf("%d entries", got)
	}
}

func TestSIEVETakesTheExpiredFirst(t *testing.T) {
	s := newStore(2, 1<<20, newStoreCounts(nil, "test"))
	now := time.Now()
	s.keep(secret.Fingerprint{1}, &authz.Claims{Fetched: now}, lasting(time.Second), nil, now)
	s.keep(secret.Fingerprint{2}, &authz.Claims{Fetched: now}, lasting(time.Hour), nil, now)
	s.get(secret.Fingerprint{1}, now)
	s.get(secret.Fingerprint{2}, now)
	later := now.Add(2 * time.Second)
	s.keep(secret.Fingerprint{3}, &authz.Claims{Fetched: later}, lasting(time.Hour), nil, later)
	if s.get(secret.Fingerprint{2}, later) == nil || s.get(secret.Fingerprint{3}, later) == nil {
		t.Error("a live entry gave way to an expired one")
	}
}

func TestAnOlderAnswerDoesNotReplaceANewerOne(t *testing.T) {
	s := newStore(2, 1<<20, newStoreCounts(nil, "test"))
	now := time.Now()
	key := secret.Fingerprint{1}
	s.keep(key, &authz.Claims{Fetched: now}, lasting(time.Hour), nil, now)
	s.keep(key, &authz.Claims{Fetched: now.Add(-time.Second)}, lasting(time.Hour), nil, now)
	if e := s.get(key, now); e == nil || s.of(e).Fetched != now {
		t.Error("replaced")
	}
}
