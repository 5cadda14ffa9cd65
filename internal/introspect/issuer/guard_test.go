package issuer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/guard"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// guarded opens an Issuer whose server is w, with the protection that is shipped.
func guarded(t *testing.T, change func(*Config), w wire) (*Issuer, *ledger) {
	t.Helper()
	return openWired(t, func(c *Config) {
		c.Endpoint.Timeout = 2 * time.Second
		c.Protection = guard.Config{Retries: 1, BreakerFailures: 10, BreakerDelay: 250 * time.Millisecond}
		if change != nil {
			change(c)
		}
	}, w)
}

func oneAttempt(c *Config) { c.Protection.Retries = 0 }

// replies answers with a status, headers in pairs and a body.
func replies(status int, body string, headers ...string) (*http.Response, error) {
	r := &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body))}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r, nil
}

// hangs answers nothing until the client leaves.
func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

var errCut = errors.New("connection reset by a test")

// put asks about the n-th token.
func put(t *testing.T, i *Issuer, n int) (*authz.Claims, *authz.Error) {
	t.Helper()
	c, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New(fmt.Sprint("token-", n))})
	if err == nil {
		return c, nil
	}
	e, ok := errors.AsType[*authz.Error](err)
	if !ok {
		t.Fatalf("%T is no *authz.Error", err)
	}
	return nil, e
}

func TestINT8b_AnswersNeverOpenTheBreaker(t *testing.T) {
	for name, answer := range map[string]func() (*http.Response, error){
		"a kind of token that is not introspected": func() (*http.Response,
			error) {
			return replies(400, `{"error":"unsupported_token_type"}`)
		},
		"the request is invalid": func() (*http.Response,
			error) {
			return replies(400, `{"error":"invalid_request"}`)
		},
		"the credentials are refused": func() (*http.Response,
			error) {
			return replies(401, `{"error":"invalid_client"}`)
		},
		"the client is forbidden": func() (*http.Response,
			error) {
			return replies(403, `<html>`, "Content-Type", "text/html")
		},
		"not found": func() (*http.Response, error) { return replies(404, ``) },
		"a redirect": func() (*http.Response,
			error) {
			return replies(302, ``, "Location", "https://elsewhere.example/")
		},
		"inactive": func() (*http.Response,
			error) {
			return replies(200, `{"active":false}`)
		},
		"a login page": func() (*http.Response,
			error) {
			return replies(200, `<html>`, "Content-Type", "text/html")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				i, _ := guarded(t, nil, func(*http.Request) (*http.Response, error) { calls++; return answer() })
				for n := range 100 {
					put(t, i, n)
				}
				if calls != 100 || i.Breaker() != guard.Closed {
					t.Errorf("%d calls for 100 tokens, breaker %v", calls, i.Breaker())
				}
			})
		})
	}
}

func TestINT9_FailuresInARowOpenTheBreaker(t *testing.T) {
	for name, answer := range map[string]wire{
		"no answer in time": hangs,
		"no connection":     func(*http.Request) (*http.Response, error) { return nil, errCut },
		"500":               func(*http.Request) (*http.Response, error) { return replies(500, ``) },
		"502":               func(*http.Request) (*http.Response, error) { return replies(502, ``) },
		"429":               func(*http.Request) (*http.Response, error) { return replies(429, ``) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				i, l := guarded(t, oneAttempt, func(r *http.Request) (*http.Response,
					error) {
					calls++
					return answer(r)
				})
				for n := range 10 {
					if _, e := put(t, i, n); e == nil || e.Kind != authz.Unavailable {
						t.Fatalf("error %v", e)
					}
				}
				begun := time.Now()
				for n := range 20 {
					if _, e := put(t, i, 10+n); e == nil || e.Kind != authz.Unavailable || e.RetryAfter <= 0 {
						t.Fatalf("error %v", e)
					}
				}
				if calls != 10 || l.of(t, metricRefused, "open") != 20 || time.Since(begun) != 0 ||
					i.Breaker() != guard.Open {
					t.Errorf("%d calls, %d refused in %v, breaker %v", calls, l.of(t, metricRefused, "open"),
						time.Since(begun), i.Breaker())
				}
				states := l.Nonzero(t, "sidecar_introspect_breaker_state")
				if len(states) != 1 || !strings.HasSuffix(states[0], " 2") {
					t.Errorf("the metric of the breaker is %v, want 2", states)
				}
			})
		})
	}
}

func TestAnAnswerBetweenFailuresKeepsTheBreakerClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		i, _ := guarded(t, oneAttempt, func(*http.Request) (*http.Response, error) {
			if calls++; calls%10 == 0 {
				return replies(200, `{"active":true}`)
			}
			return replies(500, ``)
		})
		for n := range 100 {
			put(t, i, n)
		}
		if calls != 100 {
			t.Errorf("%d calls", calls)
		}
	})
}

// TestAServerThatHungIsFoundOutWithinAPause: while it hangs, questions still go through, a pause apart, and none of
// them delays the next. When it is back, the first answer lets all through, and those that still hang do not shut it
// out again.
func TestAServerThatHungIsFoundOutWithinAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		back, calls := false, 0
		i, _ := guarded(t, func(c *Config) { c.Protection.BreakerFailures = 3 },
			func(r *http.Request) (*http.Response, error) {
				mu.Lock()
				calls++
				works := back
				mu.Unlock()
				if works {
					return replies(200, `{"active":true}`)
				}
				return hangs(r)
			})
		var callers sync.WaitGroup
		asked := 0
		load := func(d time.Duration) { // 100 questions a second
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				asked++
				callers.Go(func() { put(t, i, asked) })
				synctest.Wait()
			}
		}
		load(3 * time.Second) // the first 2 s fill up, then it opens
		mu.Lock()
		before := calls
		mu.Unlock()
		load(10 * time.Second)
		mu.Lock()
		if probes := calls - before; probes < 30 || probes > 41 {
			t.Errorf("%d questions went through in 10 s, a pause of 250 ms apart", probes)
		}
		back = true
		mu.Unlock()
		load(300 * time.Millisecond)
		for n := range 300 { // those that hang end in this time
			if _, e := put(t, i, 1_000_000+n); e != nil {
				t.Fatalf("after the return: %v", e)
			}
			time.Sleep(10 * time.Millisecond)
		}
		callers.Wait()
		if i.Breaker() != guard.Closed {
			t.Errorf("breaker %v", i.Breaker())
		}
	})
}

func TestASlowServerThatAnswersIsNotShutOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, l := guarded(t, nil, func(*http.Request) (*http.Response, error) {
			time.Sleep(1900 * time.Millisecond)
			return replies(200, `{"active":true}`)
		})
		for n := range 50 {
			if _, e := put(t, i, n); e != nil {
				t.Fatal(e)
			}
		}
		if n := l.of(t, metricRefused, "open"); n != 0 {
			t.Errorf("%d refused", n)
		}
	})
}

func TestACallerThatLeavesIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, _ := guarded(t, func(c *Config) { c.Protection.BreakerFailures = 1 }, hangs)
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		if _, err := i.guard.Ask(ctx,
			introspect.Question{Token: secret.New("a")}); authz.KindOf(err) != authz.Unavailable ||
			i.Breaker() != guard.Closed {
			t.Errorf("%v, breaker %v", err, i.Breaker())
		}
		go func() { time.Sleep(time.Second); i.Close() }()
		put(t, i, 1)
		if i.Breaker() != guard.Closed {
			t.Errorf("a shutdown: breaker %v", i.Breaker())
		}
	})
}

func TestQuestionsThatNeverReportDoNotKeepTheBreakerOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mode := wire(func(*http.Request) (*http.Response, error) { return nil, errCut })
		i, _ := guarded(t, func(c *Config) {
			c.Protection = guard.Config{BreakerFailures: 1,
				BreakerDelay: time.Second}
		}, func(r *http.Request) (*http.Response, error) { return mode(r) })
		put(t, i, 0)
		mode = func(*http.Request) (*http.Response, error) { panic("a bug") }
		for n := range 20 {
			time.Sleep(time.Second)
			put(t, i, 1+n)
		}
		mode = func(*http.Request) (*http.Response, error) { return replies(200, `{"active":true}`) }
		for n := range 3 {
			time.Sleep(time.Second)
			if c, _ := put(t, i, 100+n); c != nil {
				return
			}
		}
		t.Error("it stays open")
	})
}

// TestAServerThatOnlySeemedToBeBackGetsFewQuestions: one answer closes the breaker, and then it hangs again. What
// waits for it then must not take all the seats, or no probe would find out when it is really back.
func TestAServerThatOnlySeemedToBeBackGetsFewQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		mode, inFlight, most := wire(hangs), 0, 0
		become := func(w wire) { mu.Lock(); mode, most = w, 0; mu.Unlock() }
		works := func(*http.Request) (*http.Response, error) {
			time.Sleep(5 * time.Millisecond)
			return replies(200, `{"active":true}`)
		}
		i, _ := guarded(t, nil, func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			inFlight++
			most = max(most, inFlight)
			now := mode
			mu.Unlock()
			defer func() { mu.Lock(); inFlight--; mu.Unlock() }()
			return now(r)
		})
		var callers sync.WaitGroup
		asked, refused := 0, 0
		load := func(d time.Duration) { // 500 questions a second
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
				asked++
				callers.Go(func() {
					if _, e := put(t, i, asked); e != nil {
						mu.Lock()
						refused++
						mu.Unlock()
					}
				})
				synctest.Wait()
			}
		}
		load(5 * time.Second)
		become(func(r *http.Request) (*http.Response, error) {
			become(hangs)
			return replies(200, `{"active":true}`)
		})
		load(1900 * time.Millisecond)
		if most > 32 { // the few, and those that go through a pause apart, for 2 s each
			t.Errorf("it had %d questions at once", most)
		}
		become(works)
		load(400 * time.Millisecond)
		mu.Lock()
		refused = 0
		mu.Unlock()
		load(3 * time.Second)
		callers.Wait()
		if refused > 12 { // those that hung
			t.Errorf("%d were refused long after its return", refused)
		}
	})
}

// TestQuestionsThatHungBeforeTheReturnTakeNoCapacity: hundreds wait for a server that hung shortly. When it is back
// they wait still, and keep no other question waiting.
func TestQuestionsThatHungBeforeTheReturnTakeNoCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		mode := wire(hangs)
		i, _ := guarded(t, func(c *Config) { c.MaxInFlight = 512 }, func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			now := mode
			mu.Unlock()
			return now(r)
		})
		var callers sync.WaitGroup
		for n := range 220 { // 2.2 s: it has just opened
			callers.Go(func() { put(t, i, n) })
			time.Sleep(10 * time.Millisecond)
		}
		mu.Lock()
		mode = func(*http.Request) (*http.Response, error) { return replies(200, `{"active":true}`) }
		mu.Unlock()
		for n := range 30 {
			put(t, i, 1000+n)
			time.Sleep(10 * time.Millisecond)
		}
		for n := range 200 {
			if _, e := put(t, i, 2000+n); e != nil {
				t.Fatalf("%v after the return: %v", 300*time.Millisecond, e)
			}
			time.Sleep(10 * time.Millisecond)
		}
		callers.Wait()
	})
}
