package issuer

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// from asks about a token that a client at an address carries.
func from(t *testing.T, i *Issuer, source, token string) (*authz.Claims, *authz.Error) {
	t.Helper()
	c, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New(token), Source: source})
	if err == nil {
		return c, nil
	}
	e, ok := err.(*authz.Error)
	if !ok {
		t.Fatalf("%T is no *authz.Error", err)
	}
	return nil, e
}

// honest knows the tokens that begin with "good".
func honest(r *http.Request) (*http.Response, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	return replies(200, fmt.Sprintf(`{"active":%t}`, strings.HasPrefix(r.PostForm.Get("token"), "good")))
}

func limits(total, bySource float64) func(*Config) {
	return func(c *Config) {
		c.Protection.UnknownTokens, c.Protection.UnknownBySource, c.Cache.NegativeTTL = total, bySource, 0
	}
}

func TestINT12_AddressThatGuessesTokensIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, l := guarded(t, limits(0, 10), honest)
		from(t, i, "192.0.2.1", "good-known")
		for n := range 200 {
			from(t, i, "192.0.2.1", fmt.Sprint("guess-", n))
		}
		if n := l.of(t, metricAsked, "inactive"); n != 50 {
			t.Errorf("%d guesses were asked about, want 5 s' worth", n)
		}
		_, e := from(t, i, "192.0.2.1", "good-new")
		if e == nil || e.Kind != authz.Unavailable || e.Code != introspect.TooManyUnknownTokens ||
			e.RetryAfter <= 0 || e.RetryAfter > 100*time.Millisecond {
			t.Errorf("error %+v", e)
		}
		for _, other := range []string{"192.0.2.2", ""} {
			if c, e := from(t, i, other, "good-of-"+other); c == nil {
				t.Errorf("from %q: %v", other, e)
			}
		}
		time.Sleep(time.Second)
		for n := range 200 {
			from(t, i, "192.0.2.1", fmt.Sprint("more-", n))
		}
		if n := l.of(t, metricAsked, "inactive"); n != 60 {
			t.Errorf("%d guesses after another second", n)
		}
	})
}

func TestINT12_GuessesFromEverywhereAreLimitedInAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, l := guarded(t, limits(100, 10), honest)
		for n := range 2000 {
			from(t, i, netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}).String(), fmt.Sprint("guess-", n))
		}
		if n := l.of(t, metricAsked, "inactive"); n != 500 || l.of(t, metricRefused, "unknown_total") != 1500 {
			t.Errorf("%d guesses were asked about", n)
		}
	})
}

func TestINT12_GoodTokensNeverUseUpTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, _ := guarded(t, limits(10, 5), honest)
		for n := range 10_000 { // as after a restart
			if c, e := from(t, i, "192.0.2.1", fmt.Sprint("good-", n)); c == nil {
				t.Fatalf("token %d: %v", n, e)
			}
		}
	})
}

func TestINT12_TokensInUsePassWhileOthersAreGuessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, _ := guarded(t, limits(10, 5), honest)
		from(t, i, "192.0.2.1", "good-known")
		time.Sleep(2 * time.Minute) // it is no longer in the cache
		for n := range 200 {
			from(t, i, "192.0.2.1", fmt.Sprint("guess-", n))
		}
		if c, e := from(t, i, "192.0.2.1", "good-known"); c == nil {
			t.Errorf("refused: %v", e)
		}
		if _, e := from(t, i, "192.0.2.1", "good-new"); e == nil || e.Code != introspect.TooManyUnknownTokens {
			t.Errorf("a new one: %v", e)
		}
	})
}

func TestINT12_RefusedTokenIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := map[string]bool{}
		i, _ := guarded(t, limits(1, 0), func(r *http.Request) (*http.Response, error) {
			resp, err := honest(r)
			sent[r.PostForm.Get("token")] = true
			return resp, err
		})
		for n := range 10 {
			from(t, i, "", fmt.Sprint("guess-", n))
		}
		if len(sent) != 5 {
			t.Errorf("%d tokens were sent", len(sent))
		}
	})
}

// guessing lets callers guess without pause for a time, each question taking 5 ms, and returns how many were asked
// about, and how many of the requests with a token in use, one each 100 ms, passed.
func guessing(t *testing.T, callers int, source func(n int) string, within time.Duration) (asked, passed, good int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		i, l := guarded(t, func(c *Config) {
			limits(1000, 50)(c)
			c.MaxInFlight = 512
		}, func(r *http.Request) (*http.Response, error) {
			time.Sleep(5 * time.Millisecond)
			return honest(r)
		})
		from(t, i, source(0), "good-known")
		end := time.Now().Add(within)
		var all sync.WaitGroup
		for caller := range callers {
			all.Go(func() {
				for n := caller; time.Now().Before(end); n += callers {
					if _, e := from(t, i, source(n), fmt.Sprint("guess-", n)); e != nil {
						time.Sleep(5 * time.Millisecond) // the way there and back
					}
				}
			})
		}
		for time.Now().Before(end) {
			time.Sleep(100 * time.Millisecond)
			good++
			evict(t, i, authz.Revocation{Token: secret.New("good-known")}) // or no question would be put
			if c, _ := from(t, i, source(0), "good-known"); c != nil && c.Active {
				passed++
			}
		}
		all.Wait()
		asked = l.of(t, metricAsked, "inactive")
	})
	return asked, passed, good
}

func TestINT12_LimitHoldsHoweverManyGuessAtOnce(t *testing.T) {
	t.Parallel()
	const within, callers, inFlight = 3 * time.Second, 64, 64
	for name, c := range map[string]struct {
		source func(n int) string
		rate   int
	}{
		"from everywhere": {func(n int) string {
			return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8),
				byte(n)}).String()
		}, 1000},
		"from one address": {func(int) string { return "192.0.2.1" }, 50},
	} {
		asked, passed, good := guessing(t, callers, c.source, within)
		most := c.rate*5 + c.rate*int(within/time.Second) + inFlight
		if t.Logf("%s: %d guesses were asked about, the most is %d", name, asked, most); asked > most ||
			asked < most-c.rate-2*inFlight {
			t.Errorf("%s: %d guesses were asked about, want %d at most, and hardly fewer", name, asked, most)
		}
		if passed != good {
			t.Errorf("%s: a token in use passed %d times of %d", name, passed, good)
		}
	}
}

// A limit that is overdrawn by those under way is not lifted by it, and recovers.
func TestINT12_LimitRecoversAfterABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, l := guarded(t, func(c *Config) {
			limits(0, 10)(c)
			c.MaxInFlight = 512
		}, func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Millisecond)
			return honest(r)
		})
		var all sync.WaitGroup
		for n := range 200 { // all of them under way before the first is known to be a guess
			all.Go(func() { from(t, i, "192.0.2.1", fmt.Sprint("guess-", n)) })
		}
		all.Wait()
		if n := l.of(t, metricAsked, "inactive"); n != 200 {
			t.Fatalf("%d of 200 at once were asked about", n)
		}
		_, e := from(t, i, "192.0.2.1", "good-new")
		if e == nil || e.RetryAfter < 14*time.Second || e.RetryAfter > 16*time.Second {
			t.Fatalf("150 above the burst of 50, at 10 a second: %+v", e)
		}
		time.Sleep(e.RetryAfter)
		if c, e := from(t, i, "192.0.2.1", "good-new"); c == nil {
			t.Errorf("after Retry-After: %v", e)
		}
	})
}
