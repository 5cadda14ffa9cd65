package issuer

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
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
				if claims, e := put(t, i, 0); claims == nil || calls != 2 || l.of(&l.retried, "retry") != 1 {
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
				i, _ := guarded(t, func(c *Config) { c.Protection.Retries = 3 }, func(r *http.Request) (*http.Response, error) { calls++; return answer(r) })
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
		i, _ := guarded(t, func(c *Config) { c.Protection.Retries = 3 }, func(r *http.Request) (*http.Response, error) {
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
