package issuer

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/cache"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

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
		i, _ := openWired(t, func(c *Config) { c.Cache.TTL = 30 * time.Second },
			counted(&calls, func() string { return `{"active":true}` }))
		ask(t, i)
		time.Sleep(30*time.Second - time.Nanosecond)
		ask(t, i)
		if calls != 1 {
			t.Errorf("%d calls before the end", calls)
		}
		time.Sleep(time.Nanosecond)
		ask(t, i)
		if calls != 2 {
			t.Errorf("%d calls at the end", calls)
		}
	})
}

func TestINT16_NoEntryIsReturnedAtOrPastExp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, exp := 0, time.Now().Add(3*time.Second).Unix()
		i, _ := openWired(t, nil, counted(&calls,
			func() string { return fmt.Sprintf(`{"active":true,"exp":%d}`, exp) }))
		ask(t, i)
		time.Sleep(3*time.Second - time.Nanosecond)
		if ask(t, i); calls != 1 {
			t.Errorf("%d calls a moment before exp", calls)
		}
		time.Sleep(time.Nanosecond)
		c := ask(t, i)
		if calls != 2 {
			t.Errorf("%d calls at exp", calls)
		}
		if c.Usable(time.Now()).Text != "has expired" {
			t.Error("usable at exp")
		}
	})
}

func TestINT17_WithoutExpTheCapApplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		i, _ := openWired(t, nil, counted(&calls, func() string { return `{"active":true}` }))
		ask(t, i)
		time.Sleep(time.Minute)
		if ask(t, i); calls != 2 {
			t.Errorf("%d calls", calls)
		}
	})
}

func TestINT18_InactiveAnswersHaveTheirOwnShortLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, body := 0, `{"active":false}`
		i, _ := openWired(t, func(c *Config) { c.Cache.NegativeTTL = 2 * time.Second },
			counted(&calls, func() string { return body }))
		ask(t, i)
		body = `{"active":true}`
		if ask(t, i).Active {
			t.Error("asked too early")
		}
		time.Sleep(2 * time.Second)
		if !ask(t, i).Active || calls != 2 {
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
		testkit.ReplyJSON(body)(w, r)
	})
	i, l := open(t, u.URL, func(c *Config) { c.Cache.MaxEntries, c.Cache.NegativeMaxEntries = 4, 8 })
	ask(t, i)
	for n := range 50 {
		if _, err := i.Introspect(t.Context(),
			introspect.Question{Token: secret.New(fmt.Sprint("rubbish", n))}); err != nil {
			t.Fatal(err)
		}
	}
	before := u.calls.Load()
	if !ask(t, i).Active || u.calls.Load() != before {
		t.Error("the good token was asked about again")
	}
	if s := i.Stats(); s.Inactive.Entries != 8 || s.Active.Entries != 1 {
		t.Errorf("stats %+v", s)
	}
	if l.of(t, metricEvicted, "inactive capacity") != 42 || l.of(t, metricEvicted, "active capacity") != 0 {
		t.Errorf("evicted %v", l.all(t, metricEvicted))
	}
}

func TestINT13_TTLZeroAsksEveryTime(t *testing.T) {
	for _, body := range []string{`{"active":true}`, `{"active":false}`} {
		u := serve(t, testkit.ReplyJSON(body))
		i, _ := open(t, u.URL, func(c *Config) { c.Cache.TTL, c.Cache.NegativeTTL = 0, 0 })
		ask(t, i)
		ask(t, i)
		if n := u.calls.Load(); n != 2 {
			t.Errorf("%s: %d calls", body, n)
		}
	}
}

func TestAHitReturnsClaimsWithTheSameSlot(t *testing.T) {
	u := serve(t, testkit.ReplyJSON(`{"active":true}`))
	i, l := open(t, u.URL, nil)
	first := ask(t, i)
	if again := ask(t, i); again.Slot == nil || again.Slot != first.Slot {
		t.Error("the engine's slot would be lost")
	}
	if l.of(t, metricCached, "active hit") != 1 || l.of(t, metricCached, "active miss") != 1 ||
		l.of(t, metricCached, "inactive miss") != 1 {
		t.Errorf("look-ups %v", l.all(t, metricCached))
	}
}

func TestFetchedIsWhenTheQuestionWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		i, _ := openWired(t, func(c *Config) { c.Cache.TTL = 10 * time.Second },
			func(*http.Request) (*http.Response, error) {
				time.Sleep(4 * time.Second)
				return wireJSON(`{"active":true}`), nil
			})
		if c := ask(t, i); !c.Fetched.Equal(start) {
			t.Errorf("fetched %v after the start", c.Fetched.Sub(start))
		}
		time.Sleep(6 * time.Second)
		if ask(t, i).Fetched.Equal(start) {
			t.Error("the time on the wire did not count")
		}
	})
}

func TestSweepGivesMemoryBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		i, l := openWired(t, nil, counted(&calls, func() string { return `{"active":true}` }))
		ask(t, i)
		i.Sweep()
		if s := i.Stats().Active; s.Entries != 1 || s.Bytes < 256 {
			t.Errorf("swept too early: %+v", s)
		}
		time.Sleep(time.Minute + 1)
		i.Sweep()
		if s := i.Stats(); s != (cache.Stats{}) {
			t.Errorf("left: %+v", s)
		}
		if l.of(t, metricEvicted, "active capacity") != 0 {
			t.Error("expiry was counted as want of room")
		}
	})
}
