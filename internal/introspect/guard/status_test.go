package guard

import (
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/status"
)

func newTestGuard(cfg Config) *Guard {
	return New(nil, cfg, Deps{Issuer: "main", MaxInFlight: 100, Fingerprints: secret.NewFingerprinter(),
		Log: slog.New(slog.DiscardHandler)})
}

func failed(httpStatus int, retryAfter time.Duration) error {
	return &authz.Error{Kind: authz.Unavailable, RetryAfter: retryAfter,
		Err: &oauth.Failure{Reason: oauth.Answered, Status: httpStatus}}
}

// end asks a question, which ends with err.
func (b *breaker) end(t *testing.T, err error) {
	t.Helper()
	e, refused := b.Acquire()
	if refused != nil {
		t.Fatal(refused.err)
	}
	b.Release(e, healthOf(err), err)
}

func TestTheStatusFollowsTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGuard(Config{BreakerFailures: 2, BreakerDelay: time.Second})
		wants := func(want status.Breaker, refusing ...string) {
			t.Helper()
			if b, l := g.Status(); b != want || !slices.Equal(l.Refusing, refusing) {
				t.Errorf("breaker %+v, refusing %q; want %+v, %q", b, l.Refusing, want, refusing)
			}
		}
		start := time.Now()
		wants(status.Breaker{State: "closed", Since: start})
		time.Sleep(time.Minute)
		g.breaker.end(t, failed(500, 0))
		wants(status.Breaker{State: "closed", Since: start})
		g.breaker.end(t, failed(500, 0))
		opened := time.Now()
		wants(status.Breaker{State: "open", Since: opened, NextProbe: opened.Add(time.Second),
			Capacity: firstCapacity},
			causeOpen)
		time.Sleep(time.Second)
		e, refused := g.breaker.Acquire()
		if refused != nil {
			t.Fatal(refused.err)
		}
		probed := time.Now()
		wants(status.Breaker{State: "half_open", Since: probed, NextProbe: probed.Add(time.Second),
			Capacity: firstCapacity}, causeOpen)
		time.Sleep(time.Millisecond)
		g.breaker.Release(e, success, nil)
		wants(status.Breaker{State: "closed", Since: time.Now(), Capacity: firstCapacity + 1})
	})
}

func TestTheStatusShowsThePauseThatTheServerAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGuard(Config{BreakerFailures: 9, BreakerDelay: time.Second})
		g.breaker.end(t, failed(429, 20*time.Second))
		until := time.Now().Add(20 * time.Second)
		if b, l := g.Status(); !l.RetryAfter.Equal(until) || !slices.Equal(l.Refusing, []string{causeRetryAfter}) ||
			!b.NextProbe.Equal(until) {
			t.Errorf("%+v, %+v", b, l)
		}
		time.Sleep(20 * time.Second)
		if _, l := g.Status(); !l.RetryAfter.IsZero() || l.Refusing != nil {
			t.Errorf("when it is over: %+v", l)
		}
	})
}

func TestTheStatusShowsLimitsOnUnknownTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGuard(Config{UnknownTokens: 2, UnknownBySource: 1})
		key := func(n byte) secret.Fingerprint { return g.fingerprints.Of(secret.New(string(rune('a'+n))), "guess") }
		guess := func(n byte, source string) error {
			if err := g.guesses.Admit(key(n), source); err != nil {
				return err
			}
			g.guesses.Learn(key(n), source, false)
			return nil
		}
		for n := range byte(5) {
			if err := guess(n, "192.0.2.1"); err != nil {
				t.Fatal(err)
			}
		}
		if _, l := g.Status(); *l.UnknownTokens != (status.Use{Used: 5, Limit: 10}) || l.Refusing != nil {
			t.Errorf("%+v, %+v", l, l.UnknownTokens)
		}
		if guess(6, "192.0.2.1") == nil {
			t.Fatal("no limit by address")
		}
		if _, l := g.Status(); !slices.Equal(l.Refusing, []string{causeUnknownSource}) {
			t.Errorf("refusing %q", l.Refusing)
		}
		for n := range byte(5) {
			if err := guess(n+10, "192.0.2.2"); err != nil {
				t.Fatal(err)
			}
		}
		if _, l := g.Status(); !slices.Equal(l.Refusing, []string{causeUnknownSource, causeUnknownTotal}) {
			t.Errorf("refusing %q", l.Refusing)
		}
		time.Sleep(time.Second)
		if _, l := g.Status(); l.Refusing != nil || l.UnknownTokens.Used != 8 {
			t.Errorf("a second later: %+v, %+v", l, l.UnknownTokens)
		}
	})
	if _, l := newTestGuard(Config{}).Status(); l.UnknownTokens != nil {
		t.Errorf("without a limit: %+v", l.UnknownTokens)
	}
}
