package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/fetch"
)

// source is a server that gives out numbers, one more with each attempt, and can fail or be slow.
type source struct {
	mu       sync.Mutex
	attempts []time.Duration // when each began
	began    time.Time
	err      error
	takes    time.Duration
}

func (s *source) fetch(ctx context.Context) (int, error) {
	s.mu.Lock()
	if s.began.IsZero() {
		s.began = time.Now()
	}
	s.attempts = append(s.attempts, time.Since(s.began))
	n, err, takes := len(s.attempts), s.err, s.takes
	s.mu.Unlock()
	if !fetch.Sleep(ctx, takes) {
		return 0, ctx.Err()
	}
	return n, err
}

func (s *source) set(err error, takes time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.takes = err, takes
}

func (s *source) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.attempts)
}

func down() error   { return authz.Errorf(authz.Unavailable, "connection refused") }
func broken() error { return authz.Errorf(authz.Misconfigured, "status 404") }

// hourly is renewed each hour and never ends.
func hourly(_ int, began time.Time) (renew, end time.Time) { return began.Add(time.Hour), time.Time{} }

func inBubble(t *testing.T, change func(*fetch.Config[int]), test func(t *testing.T, s *source, v *fetch.Value[int])) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &source{}
		cfg := fetch.Config[int]{Name: "fetch a number", Fetch: s.fetch, Lifetime: hourly}
		if change != nil {
			change(&cfg)
		}
		v := fetch.New(cfg)
		defer v.Close()
		test(t, s, v)
	})
}

func get(t *testing.T, v *fetch.Value[int], want int) {
	t.Helper()
	if n, err := v.Get(t.Context()); n != want || err != nil {
		t.Errorf("%d, %v, want %d", n, err, want)
	}
}

// refused is the error of a value that cannot be had.
func refused(t *testing.T, v *fetch.Value[int], kind authz.Kind) *authz.Error {
	t.Helper()
	_, err := v.Get(t.Context())
	e, ok := errors.AsType[*authz.Error](err)
	if !ok || e.Kind != kind {
		t.Fatalf("error %v", err)
	}
	return e
}

func TestCallersShareOneAttempt(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *source, v *fetch.Value[int]) {
		s.set(nil, time.Second)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { get(t, v, 1) })
		}
		all.Wait()
		get(t, v, 1)
	})
}

func TestAnAttemptOutlivesTheCallerThatStartedIt(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *source, v *fetch.Value[int]) {
		s.set(nil, 10*time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := v.Get(ctx); authz.KindOf(err) != authz.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		get(t, v, 1)
	})
}

func TestAServerThatIsBackIsFoundByTheNextCallerAfterAPause(t *testing.T) {
	for name, away := range map[string]time.Duration{"4 s": 4 * time.Second, "40 s": 40 * time.Second,
		"an hour": time.Hour} {
		inBubble(t, nil, func(t *testing.T, s *source, v *fetch.Value[int]) {
			s.set(down(), 0)
			for start := time.Now(); time.Since(start) < away; time.Sleep(90 * time.Millisecond) {
				if e := refused(t, v, authz.Unavailable); e.RetryAfter > fetch.Pause {
					t.Errorf("%s: retry after %s", name, e.RetryAfter)
				}
			}
			if most := int(away/fetch.Pause) + 1; s.count() > most {
				t.Errorf("%s: %d attempts", name, s.count())
			}
			s.set(nil, 0)
			time.Sleep(fetch.Pause)
			get(t, v, s.count()+1)
		})
	}
}

func TestAFailureKeepsItsKindBetweenAttempts(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *source, v *fetch.Value[int]) {
		s.set(broken(), 0)
		for range 100 {
			if e := refused(t, v, authz.Misconfigured); e.RetryAfter != 0 ||
				!strings.Contains(e.Error(), "status 404") {
				t.Errorf("%v, retry after %s", e, e.RetryAfter)
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
}

func TestRetryAfterOfTheServerPutsOffTheNextAttempt(t *testing.T) {
	for wish, kept := range map[time.Duration]time.Duration{7 * time.Second: 7 * time.Second,
		time.Hour: 30 * time.Second} {
		inBubble(t, nil, func(t *testing.T, s *source, v *fetch.Value[int]) {
			s.set(&authz.Error{Kind: authz.Unavailable, RetryAfter: wish, Err: errors.New("status 429")}, 0)
			refused(t, v, authz.Unavailable)
			time.Sleep(kept - time.Millisecond)
			refused(t, v, authz.Unavailable)
			if s.count() != 1 {
				t.Errorf("asked before %s went by", kept)
			}
			time.Sleep(time.Millisecond)
			refused(t, v, authz.Unavailable)
			if s.count() != 2 {
				t.Errorf("not asked after %s", kept)
			}
		})
	}
}

func TestWhileTheServerHangsOnlyOneCallerWaitsForLong(t *testing.T) {
	inBubble(t, func(c *fetch.Config[int]) { c.Timeout = 2 * time.Second },
		func(t *testing.T, s *source, v *fetch.Value[int]) {
			s.set(broken(), 0)
			refused(t, v, authz.Misconfigured)
			time.Sleep(fetch.Pause)
			s.set(nil, time.Hour)
			go func() { _, _ = v.Get(t.Context()) }()
			synctest.Wait()
			refused(t, v, authz.Misconfigured) // what it did not wait for is not known to be better
			time.Sleep(2 * time.Second)
			refused(t, v, authz.Unavailable)
			time.Sleep(fetch.Pause)
			var long atomic.Int64
			var all sync.WaitGroup
			for range 50 {
				time.Sleep(10 * time.Millisecond)
				all.Go(func() {
					start := time.Now()
					refused(t, v, authz.Unavailable)
					if time.Since(start) > fetch.Pause {
						long.Add(1)
					}
				})
			}
			all.Wait()
			if long.Load() != 1 {
				t.Errorf("%d waited for long", long.Load())
			}
		})
}

func TestADueValueIsRenewedBehindTheCallerAndKeptWhenThatFails(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *source, v *fetch.Value[int]) {
		get(t, v, 1)
		time.Sleep(2 * time.Hour)
		if s.count() != 1 {
			t.Errorf("%d attempts without a caller", s.count())
		}
		s.set(down(), 0)
		for range 600 { // a minute
			get(t, v, 1)
			time.Sleep(100 * time.Millisecond)
		}
		if n := s.count(); n < 5 || n > 8 {
			t.Errorf("%d attempts in a minute", n)
		}
		s.set(nil, 0)
		time.Sleep(30 * time.Second)
		get(t, v, 1)
		synctest.Wait()
		get(t, v, s.count())
	})
}

func TestABackgroundValueIsRenewedWithoutACaller(t *testing.T) {
	inBubble(t, func(c *fetch.Config[int]) { c.Refresh = fetch.InBackground },
		func(t *testing.T, s *source, v *fetch.Value[int]) {
			get(t, v, 1)
			time.Sleep(5*time.Hour + time.Minute)
			get(t, v, 6)
		})
}

func TestAValueThatEndedIsNotUsed(t *testing.T) {
	minute := func(_ int, began time.Time) (renew, end time.Time) {
		return began.Add(50 * time.Second), began.Add(time.Minute)
	}
	inBubble(t, func(c *fetch.Config[int]) { c.Lifetime = minute },
		func(t *testing.T, s *source, v *fetch.Value[int]) {
			get(t, v, 1)
			s.set(down(), 0)
			time.Sleep(59 * time.Second)
			get(t, v, 1)
			time.Sleep(time.Second)
			refused(t, v, authz.Unavailable)
		})
}

func TestAForgottenValueIsFetchedAgain(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *source, v *fetch.Value[int]) {
		get(t, v, 1)
		v.Forget(func(n int) bool { return n == 7 })
		get(t, v, 1)
		v.Forget(func(n int) bool { return n == 1 })
		get(t, v, 2)
	})
}

func TestWarmingPausesLongerEachTime(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *source, v *fetch.Value[int]) {
		s.set(down(), 0)
		time.AfterFunc(80*time.Second, func() { s.set(nil, 0) })
		v.Warm(t.Context())
		if got, want := fmt.Sprint(s.attempts), "[0s 1s 3s 7s 15s 31s 1m1s 1m31s]"; got != want {
			t.Errorf("attempts at %s, want %s", got, want)
		}
		v.Warm(t.Context())
		get(t, v, 8)
	})
}

func TestWarmingEndsWithItsContextAndWithTheValue(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *source, v *fetch.Value[int]) {
		s.set(down(), 0)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		v.Warm(ctx)
		time.AfterFunc(5*time.Second, v.Close)
		v.Warm(t.Context())
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("after %s", took)
		}
	})
}

func TestCloseEndsTheAttemptAndKeepsTheValue(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *source, v *fetch.Value[int]) {
		get(t, v, 1)
		s.set(nil, time.Hour)
		ended := make(chan error, 1)
		go func() {
			_, err := v.Fetch(t.Context())
			ended <- err
		}()
		synctest.Wait()
		v.Close()
		if err := <-ended; authz.KindOf(err) != authz.Unavailable {
			t.Error(err)
		}
		if _, err := v.Fetch(t.Context()); authz.KindOf(err) != authz.Unavailable {
			t.Error(err)
		}
		get(t, v, 1)
	})
}

func TestAnAttemptThatPanicsIsAFailureThatQuotesNothing(t *testing.T) {
	inBubble(t, func(c *fetch.Config[int]) {
		c.Fetch = func(context.Context) (int, error) { panic("tok-en") }
	}, func(t *testing.T, _ *source, v *fetch.Value[int]) {
		if e := refused(t, v, authz.Unavailable); strings.Contains(e.Error(), "tok-en") {
			t.Error(e)
		}
	})
}

func TestPausesDoubleUpToTheLast(t *testing.T) {
	b := fetch.Backoff{First: time.Second, Last: 30 * time.Second}
	for failures, want := range map[int]time.Duration{0: 0, 1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second,
		6: 30 * time.Second, 1000: 30 * time.Second} {
		if got := b.After(failures); got != want {
			t.Errorf("after %d failures %s, want %s", failures, got, want)
		}
	}
}
