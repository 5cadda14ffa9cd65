package issuer

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/guard"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

const victim = "revoked"

// staleAfter configures answers that are used for an hour after a second, while the server has failed.
func staleAfter(c *Config) {
	c.Cache.TTL, c.Cache.NegativeTTL, c.Cache.StaleIfError = time.Second, 0, time.Hour
}

// revocable is a server to which the token "revoked" is active at first, and inactive once it has been revoked. What
// it answers about other tokens is for a test to say.
type revocable struct {
	over            atomic.Bool
	others, revoked wire
}

func (s *revocable) answer(r *http.Request) (*http.Response, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	if r.PostForm.Get("token") != victim {
		return s.others(r)
	}
	if s.over.Load() && s.revoked != nil {
		return s.revoked(r)
	}
	return replies(200, fmt.Sprintf(`{"active":%t}`, !s.over.Load()))
}

// takes is a server that answers after a time, or once its client has left.
func takes(d time.Duration, body string) wire {
	return func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return replies(200, body)
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

// A token is revoked while its server is up. Callers do what they can to keep the sidecar from asking about it.
func TestStaleIfErrorExcusesNothingThatCallersOrTheSidecarBringAbout(t *testing.T) {
	for name, c := range map[string]struct {
		others wire
		victim wire // where it is not answered that it is inactive
		config func(*Config)
		tokens int           // of others, asked about at once
		within time.Duration // the caller's own time; 0 is long
		later  time.Duration // since the token was last seen to be good; 0 is a moment
	}{
		"max_in_flight is reached": {others: takes(time.Second, no), config: func(c *Config) { c.MaxInFlight = 4 },
			tokens: 4},
		"too many unknown tokens": {others: takes(0, no), config: limits(1, 0), tokens: 50, later: 50 * time.Minute},
		"no file descriptor is left": {victim: func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", syscall.EMFILE)}
		}},
		"429 with Retry-After": {others: func(*http.Request) (*http.Response, error) {
			return replies(429, ``, "Retry-After", "25")
		}, tokens: 1},
		"a breaker that 429 opened": {others: func(*http.Request) (*http.Response, error) { return replies(429, ``) },
			tokens: 10},
		"a breaker whose latest failure was a 429": {others: func() wire {
			var n atomic.Int64
			return func(*http.Request) (*http.Response, error) {
				if n.Add(1) < 10 {
					return replies(500, ``)
				}
				return replies(429, ``)
			}
		}(), config: func(c *Config) { c.MaxInFlight = 64 }, tokens: 10},
		"the caller leaves": {others: takes(0, no), victim: takes(time.Second, no), within: time.Nanosecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			as := &revocable{others: c.others, revoked: c.victim}
			i, l := guarded(t, func(cfg *Config) {
				staleAfter(cfg)
				cfg.Protection.BreakerDelay = time.Minute
				if c.config != nil {
					c.config(cfg)
				}
			}, as.answer)
			ask := func(ctx context.Context, tok string) (*authz.Claims, error) {
				return i.Introspect(ctx, introspect.Question{Token: secret.New(tok)})
			}
			if got, err := ask(t.Context(), victim); err != nil || !got.Active {
				t.Fatal(err)
			}
			as.over.Store(true)
			time.Sleep(cmp.Or(c.later, 2*time.Second))
			var all sync.WaitGroup
			for n := range c.tokens {
				all.Go(func() { _, _ = ask(t.Context(), fmt.Sprint("other-", n)) })
				synctest.Wait() // one after the other, as far as they do not wait for their answer
			}
			for range 3 {
				ctx, cancel := context.WithTimeout(t.Context(), cmp.Or(c.within, time.Hour))
				got, err := ask(ctx, victim)
				cancel()
				if got != nil && got.Active || l.of(t, metricStale, "failing") > 0 {
					t.Errorf("%s: a revoked token is used although its server is up: %v", name, err)
				}
			}
			all.Wait()
		})
	}
}

func TestStaleIfErrorExcusesNothingAtTheEndOfTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := takes(0, yes)
		i, _ := guarded(t, staleAfter, func(r *http.Request) (*http.Response, error) { return answer(r) })
		ask(t, i)
		answer = takes(time.Second, yes)
		time.Sleep(2 * time.Second)
		underWay := make(chan error)
		go func() {
			_, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New(testToken)})
			underWay <- err
		}()
		time.Sleep(time.Millisecond)
		go i.Close()
		if err := <-underWay; authz.KindOf(err) != authz.Unavailable {
			t.Errorf("a question under way: %v", err)
		}
		refusal(t, i, authz.Unavailable)
	})
}

// Nothing is dropped that was known, either, and what is still within its hard lifetime stays in use.
func TestINT7_RefreshThatBringsNoAnswerLeavesWhatWasKnown(t *testing.T) {
	for _, body := range []string{`{}`, `{"error":"server_error"}`, `{"status":"maintenance"}`, `{"active":"true"}`,
		`{"active":tr`} {
		synctest.Test(t, func(t *testing.T) {
			answer := yes
			i, l := guarded(t, func(c *Config) { c.Cache.TTL, c.Cache.HardTTL = time.Second, time.Minute },
				func(*http.Request) (*http.Response, error) {
					return replies(200, answer)
				})
			ask(t, i)
			answer = body
			time.Sleep(2 * time.Second)
			for range 3 {
				if c := ask(t, i); !c.Active {
					t.Errorf("%s: %s", body, c.Inactive.Text)
				}
				synctest.Wait()
			}
			if l.of(t, metricFresh, "failed") == 0 {
				t.Errorf("%s: no refresh failed", body)
			}
			time.Sleep(time.Minute)
			refusal(t, i, authz.Unavailable)
		})
	}
}

// What is no answer of an introspection endpoint is no sign that the server is down: a proxy before it may be.
func TestStaleIfErrorExcusesNoAnswerThatCannotBeRead(t *testing.T) {
	for name, answer := range map[string]func() (*http.Response, error){
		"a login page": func() (*http.Response,
			error) {
			return replies(200, `<html>`, "Content-Type", "text/html")
		},
		"cut off":          func() (*http.Response, error) { return replies(200, `{"active":tr`) },
		"of no meaning":    func() (*http.Response, error) { return replies(200, `{}`) },
		"an error":         func() (*http.Response, error) { return replies(200, `{"error":"server_error"}`) },
		"active, in words": func() (*http.Response, error) { return replies(200, `{"active":"true"}`) },
		"active, in null":  func() (*http.Response, error) { return replies(200, `{"active":null}`) },
		"a redirect":       func() (*http.Response, error) { return replies(302, ``, "Location", "/") },
		"the credentials":  func() (*http.Response, error) { return replies(401, `{"error":"invalid_client"}`) },
		"an empty success": func() (*http.Response, error) { return replies(206, ``) },
	} {
		synctest.Test(t, func(t *testing.T) {
			good := true
			i, l := guarded(t, staleAfter, func(*http.Request) (*http.Response, error) {
				if good {
					return replies(200, yes)
				}
				return answer()
			})
			ask(t, i)
			good = false
			time.Sleep(2 * time.Second)
			if c, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New(testToken)}); err == nil ||
				l.of(t, metricStale, "failing") > 0 {
				t.Errorf("%s: active %t", name, c.Active)
			}
			if i.Stats().Active.Entries != 1 {
				t.Errorf("%s: what was known is forgotten", name)
			}
		})
	}
}

func TestStaleIfErrorExcusesAServerThatFailedAndTheBreakerThatItOpened(t *testing.T) {
	for name, answer := range map[string]wire{
		"no answer in time": hangs,
		"no connection":     func(*http.Request) (*http.Response, error) { return nil, errCut },
		"500":               func(*http.Request) (*http.Response, error) { return replies(500, ``) },
		"502, a page": func(*http.Request) (*http.Response, error) {
			return replies(502, `<html>`, "Content-Type", "text/html")
		},
		"503 with Retry-After": func(*http.Request) (*http.Response,
			error) {
			return replies(503, ``, "Retry-After", "20")
		},
		"504": func(*http.Request) (*http.Response, error) { return replies(504, ``) },
	} {
		synctest.Test(t, func(t *testing.T) {
			down := false
			i, l := guarded(t, staleAfter, func(r *http.Request) (*http.Response, error) {
				if down {
					return answer(r)
				}
				return replies(200, yes)
			})
			ask(t, i)
			down = true
			time.Sleep(2 * time.Second)
			for n := range 30 { // the breaker opens after ten
				if c := ask(t, i); !c.Active {
					t.Fatalf("%s, request %d: %s", name, n, c.Inactive.Text)
				}
			}
			if i.Breaker() == guard.Closed || l.of(t, metricRefused, "open")+
				l.of(t, metricRefused, "retry_after") == 0 {
				t.Errorf("%s: the breaker is closed", name)
			}
		})
	}
}
