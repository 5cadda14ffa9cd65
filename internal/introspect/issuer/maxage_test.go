package issuer

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// limited asks about the test token, and takes no answer older than most.
func limited(t *testing.T, i *Issuer, most time.Duration) *authz.Claims {
	t.Helper()
	c, err := i.Introspect(t.Context(),
		introspect.Question{Token: secret.New(testToken), Freshness: authz.Freshness{MaxAge: most, Limited: true}})
	if err != nil {
		t.Error(err)
	}
	return c
}

func TestINT13_AnEntrypointMayLimitTheAgeOfAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := &server{body: yes}
		i, _ := openWired(t, nil, as.answer)
		ask(t, i)
		time.Sleep(5 * time.Second)
		if limited(t, i, 5*time.Second); as.asked() != 1 {
			t.Error("an answer that is young enough was not used")
		}
		time.Sleep(time.Nanosecond)
		if limited(t, i, 5*time.Second); as.asked() != 1 {
			t.Error("an answer that is too old was used")
		}
		time.Sleep(time.Nanosecond)
		fresh := limited(t, i, 0)
		if as.asked() != 1 {
			t.Error("0 does not ask")
		}
		if ask(t, i).Slot != fresh.Slot || as.asked() != 0 {
			t.Error("the fresh answer is not kept for others")
		}
	})
}

func TestINT13_MaxAgeHoldsInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := &server{body: yes}
		i, _ := openWired(t, lifetimes, as.answer)
		ask(t, i)
		as.says(http.StatusServiceUnavailable, "")
		time.Sleep(40 * time.Second)
		_, err := i.Introspect(t.Context(),
			introspect.Question{Token: secret.New(testToken),
				Freshness: authz.Freshness{MaxAge: 39 * time.Second, Limited: true}})
		if authz.KindOf(err) != authz.Unavailable {
			t.Errorf("error %v", err)
		}
		limited(t, i, 40*time.Second)
	})
}

func TestINT13_AQuestionInFlightIsTooOldForMaxAgeZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := &server{body: yes, takes: 2 * time.Second}
		i, _ := openWired(t, nil, as.answer)
		var all sync.WaitGroup
		all.Go(func() { ask(t, i) })
		time.Sleep(time.Second)
		as.says(0, no) // the question under way has its answer already
		arrived := time.Now()
		for n := range 50 {
			all.Go(func() {
				time.Sleep(time.Duration(n) * time.Millisecond)
				arrived := time.Now()
				if c := limited(t, i, 0); c.Active || c.Fetched.Before(arrived) {
					t.Errorf("active %t, asked for %v before", c.Active, arrived.Sub(c.Fetched))
				}
			})
		}
		all.Wait()
		if took := time.Since(arrived); took != 3*time.Second {
			t.Errorf("it took %v", took)
		}
		if n := as.asked(); n != 2 {
			t.Errorf("%d questions for fifty and one", n)
		}
	})
}

func TestINT13_AQuestionInFlightIsSharedWithinMaxAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := &server{body: yes, takes: 2 * time.Second}
		i, _ := openWired(t, nil, as.answer)
		var all sync.WaitGroup
		all.Go(func() { ask(t, i) })
		time.Sleep(time.Second)
		all.Go(func() { limited(t, i, time.Second) })
		all.Wait()
		if n := as.asked(); n != 1 {
			t.Errorf("%d questions", n)
		}
	})
}
