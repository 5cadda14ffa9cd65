package issuer

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// cooldownWait is how long the first question after a revocation waits.
const cooldownWait = 40 * time.Millisecond

// Keycloak sends logout tokens before the session is over: to a question at once it answers that the token is active.
func TestEV1_LogoutThatIsSentBeforeItIsInForceTakesEffectSoonAfter(t *testing.T) {
	for _, meant := range []time.Duration{0, 10 * time.Millisecond, 40 * time.Millisecond, time.Second,
		20 * time.Second} {
		for name, v := range map[string]authz.Revocation{"sid": {SessionID: "s1"}, "all": {All: true}} {
			synctest.Test(t, func(t *testing.T) {
				var over atomic.Bool
				var asked atomic.Int64
				i, _ := openWired(t, func(c *Config) { c.Cache.TTL, c.Cache.HardTTL = time.Hour, 2*time.Hour },
					func(*http.Request) (*http.Response, error) {
						asked.Add(1)
						if over.Load() {
							return wireJSON(no), nil
						}
						return wireJSON(told), nil
					})
				ask(t, i)
				evict(t, i, v)
				time.AfterFunc(meant, func() { over.Store(true) })
				begun := time.Now()
				for ask(t, i).Active {
					time.Sleep(5 * time.Millisecond)
				}
				if late := time.Since(begun) - meant; late > max(cooldownWait, meant/8)+10*time.Millisecond {
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
			i, _ := openWired(t, func(c *Config) { c.Cache.TTL = time.Hour },
				func(r *http.Request) (*http.Response, error) {
					mu.Lock()
					asked[time.Since(revoked)] = true
					mu.Unlock()
					if r.FormValue("token") == "under way" {
						time.Sleep(time.Millisecond)
					}
					return wireJSON(told), nil
				})
			ask(t, i)
			var waiting sync.WaitGroup
			waiting.Go(func() {
				_, _ = i.Introspect(t.Context(),
					introspect.Question{Token: secret.New("under way")})
			})
			synctest.Wait()
			revoked = time.Now()
			asked = map[time.Duration]bool{}
			evict(t, i, v)
			waiting.Go(func() { ask(t, i) })
			waiting.Wait()
			for at := range asked {
				if at < cooldownWait {
					t.Errorf("%s: asked %v after the event, which may be in force after %v", name, at, commit)
				}
			}
			if len(asked) == 0 {
				t.Errorf("%s: no question was asked", name)
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
		ask(t, i)
		evict(t, i, authz.Revocation{SessionID: "s1"})
		for range 3_000 { // five minutes
			ask(t, i)
			time.Sleep(100 * time.Millisecond)
		}
		if n := asked.Load(); n < 20 || n > 70 {
			t.Errorf("%d questions", n)
		}
		evict(t, i, authz.Revocation{SessionID: "s2"})
		n := asked.Load()
		time.Sleep(time.Minute)
		if ask(t, i); asked.Load() != n {
			t.Error("the revocation of another session shortens it")
		}
	})
}
