package jose_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
)

func TestTheFirstFetchIsShared(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.slow(time.Second)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { b.works(b.old) })
		}
		all.Wait()
		b.fetched(1)
	})
}

func TestTheFirstFetchOutlivesItsFirstCaller(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.slow(10 * time.Second)
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
		defer cancel()
		if _, err := b.set.Find(ctx, jose.Header{Algorithm: "ES256"}); authz.KindOf(err) != authz.Unavailable {
			b.t.Error(err)
		}
		if _, err := b.set.Find(b.t.Context(), jose.Header{Algorithm: "ES256"}); err != nil {
			b.t.Error(err)
		}
		b.fetched(1)
	})
}

func TestAFailedFetchKeepsTheOldKeys(t *testing.T) {
	for name, fail := range map[string]func(*publisher){
		"no answer":  func(p *publisher) { p.set(nil, authz.Errorf(authz.Unavailable, "connect")) },
		"HTML":       func(p *publisher) { p.set([]byte("<html>"), nil) },
		"a bug":      func(p *publisher) { p.set(nil, errors.New("bug")) },
		"no key set": func(p *publisher) { p.set([]byte("{}"), nil) },
	} {
		inBubble(t, func(b *bed) {
			b.works(b.old)
			fail(b.publisher)
			time.Sleep(5 * time.Hour)
			b.works(b.old)
			if b.calls.Load() < 3 {
				t.Errorf("%s: not tried again", name)
			}
			b.publish(b.old, b.next)
			time.Sleep(31 * time.Second)
			n := b.calls.Load()
			b.works(b.next)
			b.fetched(n) // the refresh brought it
		})
	}
}

func TestAnUnknownKeyIsNoVerdictWhileKeysCannotBeFetched(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.works(b.old)
		b.publisher.set(nil, authz.Errorf(authz.Unavailable, "connect"))
		for range 3 {
			err := b.verify(b.next)
			e, ok := errors.AsType[*authz.Error](err)
			if !ok || e.Kind != authz.Unavailable || e.RetryAfter <= 0 {
				b.t.Errorf("%v", err)
			}
		}
		b.fetched(2)
		b.works(b.old)
		b.publish(b.old, b.next)
		time.Sleep(time.Second)
		b.works(b.next)
	})
}

func TestAFailureKeepsItsKind(t *testing.T) {
	for kind, cause := range map[authz.Kind]error{
		authz.Misconfigured: authz.Errorf(authz.Misconfigured, "status 404"),
		authz.Unavailable:   authz.Errorf(authz.Unavailable, "status 503"),
	} {
		inBubble(t, func(b *bed) {
			b.publisher.set(nil, cause)
			for range 100 {
				err := b.verify(b.old)
				e, ok := errors.AsType[*authz.Error](err)
				if !ok || e.Kind != kind || (e.RetryAfter > 0) != (kind == authz.Unavailable) ||
					e.RetryAfter > time.Second || !strings.Contains(err.Error(), cause.Error()) {
					b.t.Fatalf("%v", err)
				}
				time.Sleep(99 * time.Millisecond)
			}
			if n := b.calls.Load(); n > 21 {
				b.t.Errorf("%d fetches in 10 s", n)
			}
		})
	}
}

func TestKeysAreFetchedByDemandWhenTheServerIsBack(t *testing.T) {
	inBubble(t, func(b *bed) {
		for _, s := range []*jose.Signer{b.old, b.next} { // no keys at all, and a key that is not among them
			b.publisher.set(nil, authz.Errorf(authz.Unavailable, "connect"))
			for range 400 {
				unavailable(b.t, b.verify(s))
				time.Sleep(99 * time.Millisecond)
			}
			b.publish(b.old)
			if s == b.next {
				b.publish(b.old, b.next)
			}
			time.Sleep(500 * time.Millisecond)
			b.works(s)
		}
	})
}

func TestWarmingTriesUntilTheKeysAreThere(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.publisher.set(nil, authz.Errorf(authz.Unavailable, "status 503"))
		time.AfterFunc(5*time.Second, func() { b.publish(b.old) })
		start := time.Now()
		b.set.Warm(b.t.Context())
		if took := time.Since(start); took != 7*time.Second {
			b.t.Errorf("the keys were there after %v", took)
		}
		b.fetched(4)
		b.set.Warm(b.t.Context())
		b.works(b.old)
		b.fetched(4) // they are there
	})
}

func TestWarmingEndsWithItsContextAndWithTheSet(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.publisher.set(nil, authz.Errorf(authz.Unavailable, "status 503"))
		ctx, cancel := context.WithTimeout(b.t.Context(), 5*time.Second)
		defer cancel()
		b.set.Warm(ctx)
		time.AfterFunc(5*time.Second, b.set.Close)
		b.set.Warm(b.t.Context())
	})
}

func TestCloseWaitsAndRefuses(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.works(b.old)
		b.slow(time.Hour)
		token := b.unknownKey("x")
		time.Sleep(time.Millisecond)
		ended := make(chan error, 1)
		go func() {
			_, err := jose.Verify(b.t.Context(), token, anything, b.set)
			ended <- err
		}()
		time.Sleep(time.Millisecond)
		start := time.Now()
		b.set.Close()
		if took := time.Since(start); took != 0 {
			b.t.Errorf("took %s", took)
		}
		if err := <-ended; authz.KindOf(err) != authz.Unavailable {
			b.t.Error(err)
		}
		if err := b.present(token); authz.KindOf(err) != authz.Unavailable {
			b.t.Error(err)
		}
		b.fetched(2)
		b.set.Close()
	})
}

func TestAFetchThatPanicsIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		s := jose.NewKeySet(jose.KeySetConfig{Name: "a", Fetch: func(context.Context) ([]byte,
			error) {
			panic("tok-en")
		}, Log: slog.New(slog.NewTextHandler(&log, nil))})
		defer s.Close()
		_, err := s.Find(t.Context(), jose.Header{})
		if authz.KindOf(err) != authz.Unavailable || strings.Contains(err.Error()+log.String(), "tok-en") ||
			!strings.Contains(log.String(), "keys were not fetched") {
			t.Errorf("%v; %s", err, &log)
		}
	})
}

func TestAFetchThatHangsEnds(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.slow(time.Hour)
		start := time.Now()
		if err := b.verify(b.old); authz.KindOf(err) != authz.Unavailable || time.Since(start) > time.Minute {
			b.t.Errorf("after %s: %v", time.Since(start), err)
		}
	})
}
