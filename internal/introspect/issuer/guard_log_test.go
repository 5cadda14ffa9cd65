package issuer

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestBreakerLogsThatItOpensAndClosesOnceEach: an operator sees in the log that a server was left alone, and since
// when it answers, whatever went on between.
func TestBreakerLogsThatItOpensAndClosesOnceEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := true
		i, log := guarded(t, oneAttempt, func(r *http.Request) (*http.Response, error) {
			if down {
				return nil, errCut
			}
			return replies(200, `{"active":true}`)
		})
		says := func(opened, closed int) {
			t.Helper()
			if got := [2]int{strings.Count(log.String(), "circuit breaker opened"),
				strings.Count(log.String(), "circuit breaker closed")}; got != [2]int{opened, closed} {
				t.Errorf("opened and closed %v, want %d and %d:\n%s", got, opened, closed, log.String())
			}
		}
		for n := range 9 {
			put(t, i, n)
		}
		says(0, 0)
		for n := range 20 {
			put(t, i, 10+n)
			time.Sleep(300 * time.Millisecond) // each goes through, and fails
		}
		says(1, 0)
		down = false
		put(t, i, 100)
		says(1, 1)
		put(t, i, 101)
		says(1, 1)
	})
}
