package issuer

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/cache"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// server is an authorization server on a wire: it says what it is told to, after a while, and counts.
type server struct {
	mu     sync.Mutex
	calls  int
	status int
	body   string
	header http.Header
	takes  time.Duration
}

func (s *server) answer(*http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.calls++
	r, takes := wireJSON(s.body), s.takes
	if s.status != 0 {
		r.StatusCode = s.status
	}
	for name, values := range s.header {
		r.Header[name] = values
	}
	s.mu.Unlock()
	time.Sleep(takes)
	return r, nil
}

// asked is the number of questions since the last time, once nothing moves any more.
func (s *server) asked() int {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.calls
	s.calls = 0
	return n
}

func (s *server) says(status int, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.body = status, body
}

const yes, no = `{"active":true,"sub":"a"}`, `{"active":false}`

// soft lasts ten seconds, hard thirty, and an outage a minute more.
func lifetimes(c *Config) {
	c.Cache.TTL, c.Cache.HardTTL, c.Cache.StaleIfError = 10*time.Second, 30*time.Second, time.Minute
}

func stale(c *authz.Claims) bool {
	return c.FreshFor > 0 && time.Since(c.Fetched) >= c.FreshFor // as input.Build has it
}

func TestINT13_BetweenSoftAndHardTheAnswerIsUsedAndRefreshed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := &server{body: yes}
		i, l := openWired(t, lifetimes, as.answer)
		ask(t, i)
		time.Sleep(10*time.Second - 1)
		if c := ask(t, i); stale(c) || as.asked() != 1 {
			t.Error("within its soft lifetime it is stale, or was asked for again")
		}
		time.Sleep(time.Nanosecond)
		as.takes = time.Second
		old := ask(t, i)
		if !stale(old) || old.Subject.ID != "a" {
			t.Errorf("stale %t: %+v", stale(old), old.Subject)
		}
		time.Sleep(time.Second)
		if n := as.asked(); n != 1 {
			t.Errorf("%d questions in the background", n)
		}
		if c := ask(t, i); c == old || stale(c) || as.asked() != 0 {
			t.Error("the refreshed answer is not used")
		}
		if l.of(t, metricStale, "refreshing") != 1 || l.of(t, metricFresh, "ok") != 1 {
			t.Errorf("told %v %v", l.all(t, metricStale), l.all(t, metricFresh))
		}
	})
}

func TestINT13_PastTheHardLifetimeTheServerIsAskedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := &server{body: yes}
		i, l := openWired(t, lifetimes, as.answer)
		ask(t, i)
		time.Sleep(30 * time.Second)
		as.says(0, no)
		if ask(t, i).Active {
			t.Error("the old answer was used")
		}
		if l.of(t, metricStale, "refreshing")+l.of(t, metricStale, "failing") != 0 {
			t.Errorf("told %v", l.all(t, metricStale))
		}
	})
}

func TestINT19_OneRefreshForAllUsesOfAStaleAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := &server{body: yes}
		i, _ := openWired(t, lifetimes, as.answer)
		ask(t, i)
		as.asked()
		time.Sleep(10 * time.Second)
		as.takes = 3 * time.Second // longer than the pause between attempts
		var all sync.WaitGroup
		for n := range 100 {
			all.Go(func() {
				time.Sleep(time.Duration(n) * 25 * time.Millisecond)
				ask(t, i)
			})
		}
		all.Wait()
		if n := as.asked(); n != 1 {
			t.Errorf("%d questions", n)
		}
	})
}

func TestINT13_AFailedRefreshLeavesTheAnswerAndIsNotRepeatedByEveryRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := &server{body: yes}
		i, l := openWired(t, lifetimes, as.answer)
		ask(t, i)
		as.asked()
		as.says(http.StatusBadGateway, "")
		time.Sleep(10 * time.Second)
		for range 100 {
			time.Sleep(20 * time.Millisecond) // two seconds in all
			if !ask(t, i).Active {
				t.Fatal("the answer is lost")
			}
		}
		if n := as.asked(); n != 2 || l.of(t, metricFresh, "failed") != 2 {
			t.Errorf("%d questions, told %v", n, l.all(t, metricFresh))
		}
	})
}

func TestINT7_AnInactiveAnswerInTheBackgroundReplacesAtOnce(t *testing.T) {
	for _, body := range []string{no, `{"active":true,"iss":"https://other"}`, `{"active":true,"exp":1}`} {
		synctest.Test(t, func(t *testing.T) {
			as := &server{body: yes}
			i, _ := openWired(t, func(c *Config) {
				lifetimes(c)
				c.Endpoint.Issuer = "https://as.example"
			}, as.answer)
			ask(t, i)
			as.says(0, body)
			time.Sleep(10 * time.Second)
			ask(t, i)
			as.asked()
			if c := ask(t, i); c.Usable(time.Now()).OK() {
				t.Errorf("%s: the old answer is still used", body)
			}
		})
	}
}

func TestRefreshesLeaveHalfOfThePermitsToCallersThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := &server{body: yes}
		i, l := openWired(t, func(c *Config) {
			lifetimes(c)
			c.MaxInFlight = 4
		}, as.answer)
		ask := func(n int) error {
			_, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New(fmt.Sprint("t", n))})
			return err
		}
		for n := range 4 {
			_ = ask(n)
		}
		time.Sleep(10 * time.Second)
		as.takes = time.Second
		for n := range 4 {
			if err := ask(n); err != nil {
				t.Error(err)
			}
		}
		var all sync.WaitGroup
		for n := 10; n < 12; n++ {
			all.Go(func() {
				if err := ask(n); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		synctest.Wait()
		if l.of(t, metricFresh, "overloaded") != 2 || l.of(t, metricFresh, "ok") != 2 {
			t.Errorf("told %v", l.all(t, metricFresh))
		}
	})
}

func TestStaleIfErrorHoldsWhileTheServerDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := &server{body: yes}
		i, l := openWired(t, lifetimes, as.answer)
		ask(t, i)
		as.says(http.StatusServiceUnavailable, "")
		time.Sleep(90*time.Second - 1)
		if c := ask(t, i); !stale(c) || !c.Active || l.of(t, metricStale, "failing") != 1 {
			t.Errorf("stale %t, told %v", stale(c), l.all(t, metricStale))
		}
		time.Sleep(time.Nanosecond)
		refusal(t, i, authz.Unavailable)
	})
}

func TestStaleIfErrorIsOffUnlessConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := &server{body: yes}
		i, _ := openWired(t, nil, as.answer)
		ask(t, i)
		as.says(http.StatusServiceUnavailable, "")
		time.Sleep(time.Minute)
		refusal(t, i, authz.Unavailable)
	})
}

func TestStaleIfErrorHelpsThoughEveryRequestAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := &server{body: yes}
		i, _ := openWired(t, func(c *Config) { c.Cache.TTL, c.Cache.StaleIfError = 0, time.Minute }, as.answer)
		ask(t, i)
		ask(t, i)
		if n := as.asked(); n != 2 {
			t.Errorf("%d questions", n)
		}
		as.says(http.StatusServiceUnavailable, "")
		time.Sleep(time.Second)
		if c := ask(t, i); !c.Active || !stale(c) || as.asked() != 1 {
			t.Error("not asked first, or not marked")
		}
	})
}

// A server that refuses the client has answered, and may have withdrawn its credentials for a reason.
func TestINT8_StaleAnswersAreNotUsedWhenTheServerRefusesTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := &server{body: yes}
		i, _ := openWired(t, lifetimes, as.answer)
		ask(t, i)
		as.says(http.StatusUnauthorized, `{"error":"invalid_client"}`)
		time.Sleep(40 * time.Second)
		refusal(t, i, authz.Misconfigured)
	})
}

func TestTrap9_NoStaleAnswerIsUsedAtOrPastExp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := &server{body: fmt.Sprintf(`{"active":true,"exp":%d}`, time.Now().Add(50*time.Second).Unix())}
		i, _ := openWired(t, lifetimes, as.answer)
		ask(t, i)
		as.says(http.StatusServiceUnavailable, "")
		time.Sleep(50*time.Second - 1)
		ask(t, i)
		time.Sleep(time.Nanosecond)
		refusal(t, i, authz.Unavailable)
	})
}

func TestINT14_CacheControlIsHeededWhenConfigured(t *testing.T) {
	for control, want := range map[string]int{"ignore": 1, "respect": 2} {
		for _, body := range []string{yes, no} {
			synctest.Test(t, func(t *testing.T) {
				as := &server{body: body, header: http.Header{"Cache-Control": {"no-store"}}}
				i, _ := openWired(t, func(c *Config) { c.Cache.CacheControl = control }, as.answer)
				ask(t, i)
				ask(t, i)
				if n := as.asked(); n != want {
					t.Errorf("%s, %s: %d questions", control, body, n)
				}
			})
		}
	}
}

func TestLifetimesThatContradictEachOtherAreFaults(t *testing.T) {
	for name, change := range map[string]func(*cache.Config){
		"hard under soft":      func(c *cache.Config) { c.TTL, c.HardTTL = time.Minute, time.Second },
		"hard without soft":    func(c *cache.Config) { c.TTL, c.HardTTL = 0, time.Second },
		"negative hard":        func(c *cache.Config) { c.HardTTL = -1 },
		"negative error":       func(c *cache.Config) { c.StaleIfError = -1 },
		"unknown control":      func(c *cache.Config) { c.CacheControl = "obey" },
		"a month and a second": func(c *cache.Config) { c.RevocationMemory = 720*time.Hour + time.Second },
	} {
		cfg, faults := testConfig(t, "https://as.example/i"), 0
		change(&cfg.Cache)
		conf.Check(cfg, func(string, string, string) { faults++ })
		if faults == 0 {
			t.Errorf("%s: no fault", name)
		}
	}
}
