package issuer

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

func TestARetryHelpsAgainstWhatPasses(t *testing.T) {
	for name, first := range map[string]func() (*http.Response, error){
		"no connection": func() (*http.Response, error) { return nil, errCut },
		"cut off":       func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF },
		"502":           func() (*http.Response, error) { return replies(502, ``) },
		"503":           func() (*http.Response, error) { return replies(503, ``) },
		"503, come back in a second": func() (*http.Response, error) {
			return replies(503, ``, "Retry-After", "1")
		},
		"504": func() (*http.Response, error) { return replies(504, ``) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				i, l := guarded(t, nil, func(*http.Request) (*http.Response, error) {
					if calls++; calls == 1 {
						return first()
					}
					return replies(200, `{"active":true}`)
				})
				if claims, e := put(t, i, 0); claims == nil || calls != 2 || l.of(t, metricRetried, "") != 1 {
					t.Errorf("%v after %d calls", e, calls)
				}
			})
		})
	}
}

func TestNoRetryOfWhatLasts(t *testing.T) {
	for name, answer := range map[string]wire{
		"500":         func(*http.Request) (*http.Response, error) { return replies(500, ``) },
		"429":         func(*http.Request) (*http.Response, error) { return replies(429, ``) },
		"401":         func(*http.Request) (*http.Response, error) { return replies(401, ``) },
		"rubbish":     func(*http.Request) (*http.Response, error) { return replies(200, `{`) },
		"in time":     hangs,
		"not so soon": func(*http.Request) (*http.Response, error) { return replies(503, ``, "Retry-After", "2") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls, begun := 0, time.Now()
				i, _ := guarded(t, func(c *Config) { c.Protection.Retries = 3 },
					func(r *http.Request) (*http.Response, error) { calls++; return answer(r) })
				if _, e := put(t, i, 0); e == nil || calls != 1 {
					t.Errorf("%v after %d calls", e, calls)
				}
				if took := time.Since(begun); took != 0 && took != 2*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

func TestRetriesEndWithTheTimeOfTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, begun := 0, time.Now()
		i, _ := guarded(t, func(c *Config) { c.Protection.Retries = 3 },
			func(r *http.Request) (*http.Response, error) {
				calls++
				select {
				case <-time.After(700 * time.Millisecond):
					return replies(502, ``)
				case <-r.Context().Done():
					return nil, r.Context().Err()
				}
			})
		if _, e := put(t, i, 0); e == nil || calls != 3 || time.Since(begun) != 2*time.Second {
			t.Errorf("%v after %d calls and %v", e, calls, time.Since(begun))
		}
	})
}

func TestRetryAfterPutsAnIssuerOnHold(t *testing.T) {
	for _, c := range []struct {
		status     int
		wish       string
		held, told time.Duration
	}{
		{429, "7", 7 * time.Second, 7 * time.Second},
		{503, "7", 7 * time.Second, 7 * time.Second},
		{503, "3600", 30 * time.Second, time.Hour},
	} {
		t.Run(fmt.Sprint(c.status, " ", c.wish), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls, busy := 0, true
				i, l := guarded(t, nil, func(*http.Request) (*http.Response, error) {
					if calls++; busy {
						return replies(c.status, ``, "Retry-After", c.wish)
					}
					time.Sleep(10 * time.Millisecond)
					return replies(200, `{"active":true}`)
				})
				if _, e := put(t, i, 0); e == nil || e.RetryAfter != c.told {
					t.Fatalf("the first caller: %+v", e)
				}
				busy = false
				time.Sleep(time.Second)
				if _, e := put(t, i, 1); e == nil || e.Kind != authz.Unavailable ||
					e.RetryAfter != c.told-time.Second {
					t.Errorf("during the hold: %+v", e)
				}
				time.Sleep(c.held - time.Second - time.Millisecond)
				if put(t, i, 2); calls != 1 || l.of(t, metricRefused, "retry_after") != 2 {
					t.Errorf("%d calls, %d refused", calls, l.of(t, metricRefused, "retry_after"))
				}
				time.Sleep(time.Millisecond)
				var all sync.WaitGroup
				for n := range 20 {
					all.Go(func() { put(t, i, 10+n) })
				}
				if all.Wait(); calls != 2 {
					t.Errorf("%d questions at once after the hold, want one to go first", calls-1)
				}
				if claims, e := put(t, i, 3); claims == nil {
					t.Errorf("after its answer: %v", e)
				}
			})
		})
	}
}
