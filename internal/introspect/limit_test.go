package introspect

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestEV2_ALimitShortensTheUseOfAnswersUntilItIsLifted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		i, _ := openWired(t, func(c *Config) { c.Cache.TTL = time.Minute }, func(*http.Request) (*http.Response, error) {
			calls++
			return wireJSON(`{"active":true,"sub":"alice"}`), nil
		})
		is := &Issuers{all: []*Issuer{i}}
		at := func(pause time.Duration, want int) {
			t.Helper()
			time.Sleep(pause)
			if introspect(t, i); calls != want {
				t.Errorf("%d calls, want %d", calls, want)
			}
		}
		at(0, 1)
		at(10*time.Second, 1)
		is.Limit("test", 5*time.Second)
		at(0, 2)
		at(4*time.Second, 2)
		at(2*time.Second, 3)
		is.Limit("another", 0)
		at(6*time.Second, 4)
		is.Limit("test", 0)
		at(50*time.Second, 4)
		i.Close()
	})
}
