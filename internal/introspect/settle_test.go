package introspect

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Keycloak sends logout tokens before the session is over: whoever asks at once is told that the token is active.
func TestEV1_LogoutThatIsToldBeforeTheServerMeansItIsFeltSoonAfterItDoes(t *testing.T) {
	for _, meant := range []time.Duration{0, 10 * time.Millisecond, 40 * time.Millisecond, time.Second, 20 * time.Second} {
		for name, v := range map[string]authz.Revocation{"sid": {SessionID: "s1"}, "all": {All: true}} {
			synctest.Test(t, func(t *testing.T) {
				var over atomic.Bool
				var asked atomic.Int64
				i, _ := openWired(t, func(c *Config) { c.Cache.TTL, c.Cache.HardTTL = time.Hour, 2*time.Hour }, func(*http.Request) (*http.Response, error) {
					asked.Add(1)
					if over.Load() {
						return wireJSON(no), nil
					}
					return wireJSON(told), nil
				})
				introspect(t, i)
				evict(t, i, v)
				time.AfterFunc(meant, func() { over.Store(true) })
				begun := time.Now()
				for introspect(t, i).Active {
					time.Sleep(5 * time.Millisecond)
				}
				if late := time.Since(begun) - meant; late > max(cooldownWait, meant/cooldownFraction)+10*time.Millisecond {
					t.Errorf("%s: felt %v after the server meant it, %v after the event", name, late, meant)
				}
				if n := asked.Load(); n > 60 {
					t.Errorf("%s: %d questions", name, n)
				}
			})
		}
	}
}

// Keycloak 26.7 brings a session back to life when it is asked about it in the moment of its end.
func TestEV1_ServerIsNotAskedInTheMomentOfARevocation(t *testing.T) {
	const commit = 10 * time.Millisecond
	for name, v := range map[string]authz.Revocation{"sid": {SessionID: "s1"}, "all": {All: true}} {
		synctest.Test(t, func(t *testing.T) {
			revoked := time.Now()
			var mu sync.Mutex
			asked := map[time.Duration]bool{}
			i, _ := openWired(t, func(c *Config) { c.Cache.TTL = time.Hour }, func(r *http.Request) (*http.Response, error) {
				mu.Lock()
				asked[time.Since(revoked)] = true
				mu.Unlock()
				if r.FormValue("token") == "under way" {
					time.Sleep(time.Millisecond)
				}
				return wireJSON(told), nil
			})
			introspect(t, i)
			var waiting sync.WaitGroup
			waiting.Go(func() { _, _ = i.Introspect(t.Context(), Question{Token: secret.New("under way")}) })
			synctest.Wait()
			revoked = time.Now()
			asked = map[time.Duration]bool{}
			evict(t, i, v)
			waiting.Go(func() { introspect(t, i) })
			waiting.Wait()
			for at := range asked {
				if at < cooldownWait {
					t.Errorf("%s: asked %v after the event, which may be in force after %v", name, at, commit)
				}
			}
			if len(asked) == 0 {
				t.Errorf("%s: nobody asked", name)
			}
		})
	}
}

func TestRevokedTokenThatLivesOnIsKeptAsEverInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		i, _ := openWired(t, func(c *Config) { c.Cache.TTL = time.Hour }, func(*http.Request) (*http.Response, error) {
			asked.Add(1)
			return wireJSON(told), nil
		})
		introspect(t, i)
		evict(t, i, authz.Revocation{SessionID: "s1"})
		for range 3_000 { // five minutes
			introspect(t, i)
			time.Sleep(100 * time.Millisecond)
		}
		if n := asked.Load(); n < 20 || n > 70 {
			t.Errorf("%d questions", n)
		}
		evict(t, i, authz.Revocation{SessionID: "s2"})
		n := asked.Load()
		time.Sleep(time.Minute)
		if introspect(t, i); asked.Load() != n {
			t.Error("the revocation of another session shortens it")
		}
	})
}

func TestSettlingIsBounded(t *testing.T) {
	s, now := newCooldown(), time.Now()
	s.most = 2
	s.hold([]mark{1, 2}, now)
	if s.hold([]mark{3}, now); len(s.perToken) != 2 || s.global != now {
		t.Errorf("%d are held", len(s.perToken))
	}
	if s.hold([]mark{3}, now.Add(cooldownWait)); len(s.perToken) != 1 {
		t.Errorf("later %d are held", len(s.perToken))
	}
}

func TestTokensAreLatelyRevokedForAMinute(t *testing.T) {
	r, now := newRevocations(0), time.Now()
	r.most = 2
	at := func(m mark, when time.Time) { r.add(revocation{marks: []mark{m}, arrived: when}) }
	at(1, now)
	at(2, now)
	at(2, now.Add(time.Second)) // once more is once, and later
	for name, c := range map[string]struct {
		marks []mark
		asked time.Time
		at    time.Time
		want  bool
	}{
		"the first":              {[]mark{1}, now.Add(cooldownPeriod - 1), now, true},
		"the first, later":       {[]mark{1}, now.Add(cooldownPeriod), now, false},
		"the second":             {[]mark{7, 2}, now.Add(cooldownPeriod), now.Add(time.Second), true},
		"the second, even later": {[]mark{7, 2}, now.Add(cooldownPeriod + time.Second), now.Add(time.Second), false},
		"both":                   {[]mark{1, 2}, now, now.Add(time.Second), true},
		"another":                {[]mark{7}, now, time.Time{}, false},
	} {
		if got, ok := r.latest(c.marks, c.asked); ok != c.want || !got.Equal(c.at) {
			t.Errorf("%s: %v, %t", name, got.Sub(now), ok)
		}
	}
	at(3, now.Add(2*time.Second)) // there is no room: what is forgotten counts for every token
	if got, ok := r.latest([]mark{7}, now.Add(2*time.Second)); !ok || !got.Equal(now) {
		t.Errorf("another token, when there was no room: %v, %t", got.Sub(now), ok)
	}
	at(4, now.Add(2*cooldownPeriod))
	if _, ok := r.latest([]mark{7}, now.Add(2*cooldownPeriod)); ok || r.log.Len() != 1 {
		t.Errorf("later: %t, %d in the log", ok, r.log.Len())
	}
}
