package issuer

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/cache"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// The server calls every JWT active, for ever. Each token is ended by an event while it is in use, and no request
// that begins after that is allowed, whatever its mode, what is kept and refreshed, and what the server does then.
func TestBCL4_NoRequestAfterALogoutUsesTheTokenThatItEnded(t *testing.T) {
	const tokens, callers = 6, 4
	for _, mode := range authz.Modes() {
		for name, change := range map[string]func(*cache.Config){
			"kept":                func(*cache.Config) {},
			"refreshed":           func(c *cache.Config) { c.TTL, c.HardTTL = time.Microsecond, time.Hour },
			"not kept":            func(c *cache.Config) { c.TTL = 0 },
			"kept in an outage":   func(c *cache.Config) { c.TTL, c.StaleIfError = time.Microsecond, time.Hour },
			"in hardly any space": func(c *cache.Config) { c.MaxEntries = 1 },
		} {
			t.Run(fmt.Sprint(mode, ", ", name), func(t *testing.T) {
				t.Parallel() // it mostly waits
				k := newKeyed(t)
				var down atomic.Bool
				answer := fmt.Sprintf(`{"active":true,"iss":%q,"aud":%q,"sub":"alice","iat":%d}`, k.URL, api,
					time.Now().Unix()-5)
				k.says(func(w http.ResponseWriter, r *http.Request) {
					if down.Load() {
						testkit.Reply(http.StatusBadGateway, "", "")(w, r)
						return
					}
					testkit.ReplyJSON(answer)(w, r)
				})
				i, _ := open(t, "", k.in(mode, func(c *Config) {
					c.Dialect.Dialect, c.Cache.RevocationMemory = "duende", time.Hour
					c.Dialect.Tenant = []string{"/org"}
					change(&c.Cache)
				}))
				for n := range tokens {
					tok := k.token(t, with(ofSession(5), "jti", fmt.Sprint(n)))
					uses(t, i, tok, callers, func() {
						down.Store(n%2 == 1)
						v := authz.Revocation{Token: tok, Event: true}
						if n%3 == 0 && mode != authz.ModeIntrospect { // whose answer does not name the jti
							v = authz.Revocation{TokenID: fmt.Sprint(n), Event: true}
						}
						evict(t, i, v)
					})
					down.Store(false)
				}
			})
		}
	}
}

func with(c change, name string, v any) change {
	c[name] = v
	return c
}

// uses presents a token until it has ended and a moment more, and wants no request that began after its end to be
// allowed.
func uses(t *testing.T, i *Issuer, tok secret.Text, callers int, end func()) {
	t.Helper()
	var ended atomic.Bool
	var after atomic.Int64
	seen := make(chan struct{}, callers)
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for first := true; ; first = false {
				over := ended.Load()
				c, err := i.Introspect(t.Context(), introspect.Question{Token: tok})
				if over && err == nil && c.Active {
					t.Errorf("allowed after its end: source %s", c.Source)
				}
				if first {
					seen <- struct{}{}
				}
				if over && after.Add(1) > 3*int64(callers) {
					return
				}
			}
		})
	}
	for range callers {
		<-seen
	}
	end()
	ended.Store(true)
	all.Wait()
}
