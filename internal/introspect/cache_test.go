package introspect

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// lasting is a lifetime without a soft end.
func lasting(d time.Duration) lifetime { return lifetime{d, d, d} }

// counted answers with what body says at the moment and counts.
func counted(calls *int, body func() string) wire {
	return func(*http.Request) (*http.Response, error) {
		*calls++
		return wireJSON(body()), nil
	}
}

func TestINT13_TheLifetimeEndsAtTheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		i, _ := openWired(t, func(c *Config) { c.Cache.TTL = 30 * time.Second }, counted(&calls, func() string { return `{"active":true}` }))
		introspect(t, i)
		time.Sleep(30*time.Second - time.Nanosecond)
		introspect(t, i)
		if calls != 1 {
			t.Errorf("%d calls before the end", calls)
		}
		time.Sleep(time.Nanosecond)
		introspect(t, i)
		if calls != 2 {
			t.Errorf("%d calls at the end", calls)
		}
	})
}

func TestINT16_NoEntryIsReturnedAtOrPastExp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, exp := 0, time.Now().Add(3*time.Second).Unix()
		i, _ := openWired(t, nil, counted(&calls, func() string { return fmt.Sprintf(`{"active":true,"exp":%d}`, exp) }))
		introspect(t, i)
		time.Sleep(3*time.Second - time.Nanosecond)
		if introspect(t, i); calls != 1 {
			t.Errorf("%d calls a moment before exp", calls)
		}
		time.Sleep(time.Nanosecond)
		c := introspect(t, i)
		if calls != 2 {
			t.Errorf("%d calls at exp", calls)
		}
		if c.Usable(time.Now()) != "has expired" {
			t.Error("usable at exp")
		}
	})
}

func TestINT16_AClockThatIsSetForwardIsSeenOnAHit(t *testing.T) {
	s := newStore(10, 1<<20, func(int) {})
	now := time.Now()
	key := secret.Fingerprint{1}
	s.put(key, &authz.Claims{Active: true, ExpiresAt: authz.At(now.Add(time.Hour)), Fetched: now}, lasting(24*time.Hour), nil, now)
	if s.get(key, now) == nil {
		t.Fatal("not kept")
	}
	if s.get(key, now.Add(time.Hour)) != nil {
		t.Error("returned past exp")
	}
}

func TestINT17_WithoutExpTheCapApplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		i, _ := openWired(t, nil, counted(&calls, func() string { return `{"active":true}` }))
		introspect(t, i)
		time.Sleep(time.Minute)
		if introspect(t, i); calls != 2 {
			t.Errorf("%d calls", calls)
		}
	})
}

func TestINT18_InactiveAnswersHaveTheirOwnShortLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, body := 0, `{"active":false}`
		i, _ := openWired(t, func(c *Config) { c.Cache.NegativeTTL = 2 * time.Second }, counted(&calls, func() string { return body }))
		introspect(t, i)
		body = `{"active":true}`
		if introspect(t, i).Active {
			t.Error("asked too early")
		}
		time.Sleep(2 * time.Second)
		if !introspect(t, i).Active || calls != 2 {
			t.Errorf("%d calls", calls)
		}
		if s := i.Stats(); s.Inactive.Entries != 0 || s.Active.Entries != 1 {
			t.Errorf("stats %+v: an active answer forgets the inactive one", s)
		}
	})
}

func TestINT18_RubbishDoesNotPushOutGoodTokens(t *testing.T) {
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body := `{"active":false}`
		if r.FormValue("token") == testToken {
			body = `{"active":true}`
		}
		saysJSON(body)(w, r)
	})
	i, l := open(t, u.URL, func(c *Config) { c.Cache.MaxEntries, c.Cache.NegativeMaxEntries = 4, 8 })
	introspect(t, i)
	for n := range 50 {
		if _, err := i.Introspect(t.Context(), Question{Token: secret.New(fmt.Sprint("rubbish", n))}); err != nil {
			t.Fatal(err)
		}
	}
	before := u.calls.Load()
	if !introspect(t, i).Active || u.calls.Load() != before {
		t.Error("the good token was asked about again")
	}
	if s := i.Stats(); s.Inactive.Entries != 8 || s.Active.Entries != 1 {
		t.Errorf("stats %+v", s)
	}
	if l.of(&l.evicted, inactiveCache+" room") != 42 || l.of(&l.evicted, activeCache+" room") != 0 {
		t.Errorf("evicted %v", l.evicted)
	}
}

func TestINT13_TTLZeroAsksEveryTime(t *testing.T) {
	for _, body := range []string{`{"active":true}`, `{"active":false}`} {
		u := serve(t, saysJSON(body))
		i, _ := open(t, u.URL, func(c *Config) { c.Cache.TTL, c.Cache.NegativeTTL = 0, 0 })
		introspect(t, i)
		introspect(t, i)
		if n := u.calls.Load(); n != 2 {
			t.Errorf("%s: %d calls", body, n)
		}
	}
}

func TestINT15_TheKeyHoldsEverythingThatShapesTheAnswer(t *testing.T) {
	f := secret.NewFingerprinter()
	base := keys{fingerprints: f, name: "n", issuer: "i", clientID: "c"}
	want := base.of(secret.New("t"), "e", Introspect)
	if want != base.of(secret.New("t"), "e", Introspect) {
		t.Fatal("equal parts, different keys")
	}
	for what, got := range map[string]secret.Fingerprint{
		"name":     keys{f, "N", "i", "c"}.of(secret.New("t"), "e", Introspect),
		"issuer":   keys{f, "n", "I", "c"}.of(secret.New("t"), "e", Introspect),
		"client":   keys{f, "n", "i", "C"}.of(secret.New("t"), "e", Introspect),
		"endpoint": base.of(secret.New("t"), "E", Introspect),
		"mode":     base.of(secret.New("t"), "e", JWT),
		"token":    base.of(secret.New("T"), "e", Introspect),
		"lengths":  keys{f, "ni", "", "c"}.of(secret.New("t"), "e", Introspect),
	} {
		if got == want {
			t.Errorf("%s does not count", what)
		}
	}
}

func TestAHitReturnsTheSameClaims(t *testing.T) {
	u := serve(t, saysJSON(`{"active":true}`))
	i, l := open(t, u.URL, nil)
	first := introspect(t, i)
	if introspect(t, i) != first {
		t.Error("the engine's slot would be lost")
	}
	if l.of(&l.cached, "active true") != 1 || l.of(&l.cached, "active false") != 1 || l.of(&l.cached, "inactive false") != 1 {
		t.Errorf("look-ups %v", l.cached)
	}
}

func TestFetchedIsWhenTheQuestionWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		i, _ := openWired(t, func(c *Config) { c.Cache.TTL = 10 * time.Second }, func(*http.Request) (*http.Response, error) {
			time.Sleep(4 * time.Second)
			return wireJSON(`{"active":true}`), nil
		})
		if c := introspect(t, i); !c.Fetched.Equal(start) {
			t.Errorf("fetched %v after the start", c.Fetched.Sub(start))
		}
		time.Sleep(6 * time.Second)
		if introspect(t, i).Fetched.Equal(start) {
			t.Error("the time on the wire did not count")
		}
	})
}

func TestSweepGivesMemoryBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		i, l := openWired(t, nil, counted(&calls, func() string { return `{"active":true}` }))
		introspect(t, i)
		i.Sweep()
		if s := i.Stats().Active; s.Entries != 1 || s.Bytes < 1<<10 {
			t.Errorf("swept too early: %+v", s)
		}
		time.Sleep(time.Minute + 1)
		i.Sweep()
		if s := i.Stats(); s != (Stats{}) {
			t.Errorf("left: %+v", s)
		}
		if l.of(&l.evicted, activeCache+" room") != 0 {
			t.Error("expiry was counted as want of room")
		}
	})
}

func TestTheBoundInBytesHolds(t *testing.T) {
	const room = 64 << 10
	evicted := 0
	s := newStore(1000, room, func(n int) { evicted += n })
	now := time.Now()
	for n := range 100 {
		s.put(secret.Fingerprint{byte(n)}, &authz.Claims{Raw: make([]byte, 1<<10), Fetched: now}, lasting(time.Hour), nil, now)
		if got := s.stats(); got.Bytes > room || got.Bytes != int64(got.Entries)*(emptyCost+6<<10) {
			t.Fatalf("%+v", got)
		}
	}
	if evicted == 0 {
		t.Error("nothing gave way")
	}
	s.put(secret.Fingerprint{200}, &authz.Claims{Raw: make([]byte, room), Fetched: now}, lasting(time.Hour), nil, now)
	if s.get(secret.Fingerprint{200}, now) != nil || s.stats().Entries == 0 {
		t.Error("an answer that is larger than all the room took it")
	}
}

func TestSIEVEKeepsWhatIsAskedForThroughAScan(t *testing.T) {
	s := newStore(10, 1<<30, func(int) {})
	now := time.Now()
	put := func(b, c byte) {
		s.put(secret.Fingerprint{b, c}, &authz.Claims{Fetched: now}, lasting(time.Hour), nil, now)
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
	s := newStore(2, 1<<20, func(int) {})
	now := time.Now()
	s.put(secret.Fingerprint{1}, &authz.Claims{Fetched: now}, lasting(time.Second), nil, now)
	s.put(secret.Fingerprint{2}, &authz.Claims{Fetched: now}, lasting(time.Hour), nil, now)
	s.get(secret.Fingerprint{1}, now)
	s.get(secret.Fingerprint{2}, now)
	later := now.Add(2 * time.Second)
	s.put(secret.Fingerprint{3}, &authz.Claims{Fetched: later}, lasting(time.Hour), nil, later)
	if s.get(secret.Fingerprint{2}, later) == nil || s.get(secret.Fingerprint{3}, later) == nil {
		t.Error("a live entry gave way to an expired one")
	}
}

func TestAnOlderAnswerDoesNotReplaceANewerOne(t *testing.T) {
	s := newStore(2, 1<<20, func(int) {})
	now := time.Now()
	key := secret.Fingerprint{1}
	newer := &authz.Claims{Fetched: now}
	s.put(key, newer, lasting(time.Hour), nil, now)
	s.put(key, &authz.Claims{Fetched: now.Add(-time.Second)}, lasting(time.Hour), nil, now)
	if e := s.get(key, now); e == nil || e.claims != newer {
		t.Error("replaced")
	}
}

func TestTheLatestAnswerReplacesTheOpposite(t *testing.T) {
	i, _ := open(t, "https://as.example/i", nil)
	tok, now := secret.New(testToken), time.Now()
	yes := fact{Fact: dialect.Fact{Claims: &authz.Claims{Active: true, Fetched: now}, Keep: dialect.Active}}
	no := fact{Fact: dialect.Unusable("is not active", now)}
	no.Keep = dialect.Inactive
	for _, f := range []fact{yes, no, yes} {
		key := i.keys.of(tok, "", Introspect)
		d := i.cache.revoked.begin()
		i.cache.keep(key, tok, f, d, func() {})
		i.cache.revoked.land(d)
		if got := i.cache.look(key, time.Time{}, time.Now()); got == nil || got.claims != f.Claims {
			t.Errorf("active %t was not replaced", !f.Claims.Active)
		}
	}
}

// between does something after a look-up that found nothing and before the flight it leads to.
type between struct {
	nopObserver
	do func()
}

func (b *between) Cached(_, cache string, hit bool) {
	if do := b.do; cache == inactiveCache && !hit && do != nil {
		b.do = nil
		do()
	}
}

func TestINT19_AFlightThatLandedInBetweenIsNotRepeated(t *testing.T) {
	u := serve(t, saysJSON(`{"active":true}`))
	b := &between{}
	i, err := New(testConfig(t, u.URL), Deps{Fingerprints: secret.NewFingerprinter(), Observer: b})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	b.do = func() { introspect(t, i) }
	if !introspect(t, i).Active || u.calls.Load() != 1 {
		t.Errorf("%d calls", u.calls.Load())
	}
}
