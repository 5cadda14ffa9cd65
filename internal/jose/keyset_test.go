package jose_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
)

// publisher gives out a set of keys, counts, and can fail or hang.
type publisher struct {
	calls atomic.Int64
	mu    sync.Mutex
	jwks  []byte
	err   error
	takes time.Duration
}

func (p *publisher) fetch(ctx context.Context) ([]byte, error) {
	p.calls.Add(1)
	p.mu.Lock()
	body, err, takes := p.jwks, p.err, p.takes
	p.mu.Unlock()
	select {
	case <-time.After(takes):
		return body, err
	case <-ctx.Done():
		return nil, authz.E(authz.Unavailable, "fetch: given up")
	}
}

func (p *publisher) publish(signers ...*jose.Signer) {
	all := make([]string, 0, len(signers))
	for _, s := range signers {
		all = append(all, string(s.Public()))
	}
	p.set(jwks(all...), nil)
}

func (p *publisher) set(body []byte, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.jwks, p.err = body, err
}

func (p *publisher) slow(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.takes = d
}

// bed is a KeySet, its publisher and two keys, of which the first is published, in a bubble with its own clock.
type bed struct {
	*publisher
	t         testing.TB
	set       *jose.KeySet
	old, next *jose.Signer
}

func inBubble(t *testing.T, test func(b *bed)) {
	t.Helper()
	old, next := signer(t, "p256", "", "old"), signer(t, "p384", "", "next")
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{}
		p.publish(old)
		s := jose.NewKeySet(jose.KeySetConfig{Name: "a", Fetch: p.fetch})
		defer s.Close()
		test(&bed{p, t, s, old, next})
	})
}

func (b *bed) verify(by *jose.Signer) error {
	_, err := jose.Verify(b.t.Context(), sign(b.t, by, "JWT", struct{}{}), anything, b.set)
	return err
}

func (b *bed) fetched(n int64) {
	b.t.Helper()
	if got := b.calls.Load(); got != n {
		b.t.Errorf("%d fetches, want %d", got, n)
	}
}

func (b *bed) works(by *jose.Signer) {
	b.t.Helper()
	if err := b.verify(by); err != nil {
		b.t.Error(err)
	}
}

func TestRotationIsPickedUpAtOnceAndTheOldKeyIsGone(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.fetched(0)
		b.works(b.old)
		b.publish(b.next)
		b.works(b.next)
		if err := b.verify(b.old); !errors.Is(err, jose.ErrNoKey) {
			b.t.Errorf("the key that was taken back: %v", err)
		}
		b.fetched(2)
	})
}

func TestAKeyThatWasTakenBackIsGoneAfterTheRefresh(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.works(b.old)
		b.publish(b.next)
		time.Sleep(time.Hour - time.Second)
		b.works(b.old)
		b.fetched(1)
		time.Sleep(2 * time.Second) // nobody asks meanwhile
		b.fetched(2)
		if err := b.verify(b.old); !errors.Is(err, jose.ErrNoKey) {
			b.t.Error(err)
		}
	})
}

func TestAFloodOfUnknownKeysFetchesOnceInTheWindow(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.works(b.old)
		flood := func() {
			var all sync.WaitGroup
			for i := range 500 {
				all.Go(func() {
					if found, err := b.set.Find(b.t.Context(), jose.Header{Algorithm: "ES256", KeyID: fmt.Sprint("stranger", i)}); len(found) != 0 || err != nil {
						b.t.Errorf("%d keys, %v", len(found), err)
					}
				})
			}
			all.Wait()
		}
		b.slow(time.Second)
		flood()
		flood()
		b.fetched(2)
		b.works(b.old)
		time.Sleep(31 * time.Second)
		flood()
		b.fetched(3)
	})
}

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

func TestTheFirstFetchOutlivesWhoStartedIt(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.slow(10 * time.Second)
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
		defer cancel()
		if _, err := b.set.Find(ctx, jose.Header{Algorithm: "ES256"}); authz.KindOf(err) != authz.Unavailable {
			b.t.Error(err)
		}
		b.works(b.old)
		b.fetched(1)
	})
}

func TestAFailedFetchKeepsTheOldKeys(t *testing.T) {
	for name, fail := range map[string]func(*publisher){
		"no answer":  func(p *publisher) { p.set(nil, authz.E(authz.Unavailable, "connect")) },
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
		b.publisher.set(nil, authz.E(authz.Unavailable, "connect"))
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

func TestTheFirstFetchFailingSaysWhenToComeBack(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.publisher.set(nil, authz.E(authz.Misconfigured, "status 404"))
		start := time.Now()
		var at []time.Duration
		for time.Since(start) < 3*time.Minute {
			n := b.calls.Load()
			err := b.verify(b.old)
			e, ok := errors.AsType[*authz.Error](err)
			if !ok || e.Kind != authz.Unavailable || e.RetryAfter <= 0 || e.RetryAfter > 30*time.Second || !strings.Contains(err.Error(), "status 404") {
				b.t.Fatalf("%v", err)
			}
			if b.calls.Load() > n {
				at = append(at, time.Since(start))
			}
			time.Sleep(250 * time.Millisecond)
		}
		want := "[0s 1s 3s 7s 15s 31s 1m1s 1m31s 2m1s 2m31s]"
		if got := fmt.Sprint(at); got != want {
			b.t.Errorf("tried at %s, want %s", got, want)
		}
		b.publish(b.old)
		time.Sleep(30 * time.Second)
		b.works(b.old)
	})
}

func TestWarmingTriesUntilTheKeysAreThere(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.publisher.set(nil, authz.E(authz.Unavailable, "status 503"))
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
		b.publisher.set(nil, authz.E(authz.Unavailable, "status 503"))
		ctx, cancel := context.WithTimeout(b.t.Context(), 5*time.Second)
		defer cancel()
		b.set.Warm(ctx)
		time.AfterFunc(5*time.Second, b.set.Close)
		b.set.Warm(b.t.Context())
	})
}

func TestAnIssuerThatTakesAllKeysBackIsObeyed(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.works(b.old)
		b.publish()
		time.Sleep(time.Hour + time.Second)
		if err := b.verify(b.old); authz.KindOf(err) != authz.Unavailable {
			b.t.Error(err)
		}
		b.publish(b.next)
		time.Sleep(30 * time.Second)
		b.works(b.next)
	})
}

func TestAKeyThatChangedUnderItsNameIsPickedUp(t *testing.T) {
	same := func(key string) *jose.Signer { return signer(t, key, "", "1") }
	nameless := func(key string) *jose.Signer { return signer(t, key, "", "") }
	for name, key := range map[string]func(string) *jose.Signer{"same name": same, "no name": nameless} {
		inBubble(t, func(b *bed) {
			first := key("p256")
			b.publish(first)
			b.works(first)
			changed := with(t, string(first.Public()), map[string]any{"x": otherX, "y": otherY})
			b.publisher.set(jwks(changed), nil)
			time.Sleep(time.Minute)
			b.works(first) // the old one still serves
			b.fetched(1)
			bad := handmade(t, "p384", "ES384", `{"alg":"ES256","typ":"JWT","kid":"`+kidOf(name)+`"}`, `{}`)
			for range 10 {
				if _, err := jose.Verify(b.t.Context(), bad, anything, b.set); !errors.Is(err, jose.ErrSignature) {
					b.t.Errorf("%s: %v", name, err)
				}
			}
			b.fetched(2)
			if err := b.verify(first); !errors.Is(err, jose.ErrSignature) {
				b.t.Errorf("%s: %v", name, err)
			}
		})
	}
}

func kidOf(name string) string {
	if name == "same name" {
		return "1"
	}
	return ""
}

// The key of RFC 7515 appendix A.3.
const (
	otherX = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
	otherY = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
)

func TestCloseWaitsAndRefuses(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.works(b.old)
		b.slow(time.Hour)
		ended := make(chan error, 1)
		go func() {
			_, err := b.set.Find(b.t.Context(), jose.Header{Algorithm: "ES256", KeyID: "x"})
			ended <- err
		}()
		synctest.Wait()
		start := time.Now()
		b.set.Close()
		if took := time.Since(start); took != 0 {
			b.t.Errorf("took %s", took)
		}
		if err := <-ended; authz.KindOf(err) != authz.Unavailable {
			b.t.Error(err)
		}
		if _, err := b.set.Find(b.t.Context(), jose.Header{Algorithm: "ES256", KeyID: "x"}); authz.KindOf(err) != authz.Unavailable {
			b.t.Error(err)
		}
		b.fetched(2)
		b.set.Close()
	})
}

func TestAFetchThatPanicsIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		s := jose.NewKeySet(jose.KeySetConfig{Name: "a", Fetch: func(context.Context) ([]byte, error) { panic("tok-en") }, Log: slog.New(slog.NewTextHandler(&log, nil))})
		defer s.Close()
		_, err := s.Find(t.Context(), jose.Header{})
		if authz.KindOf(err) != authz.Unavailable || strings.Contains(err.Error()+log.String(), "tok-en") || !strings.Contains(log.String(), "keys were not fetched") {
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

func TestAKeyOfAnotherKindUnderTheSameNameIsPickedUp(t *testing.T) {
	inBubble(t, func(b *bed) {
		first, second := signer(t, "p256", "", "1"), signer(t, "rsa", "", "1")
		b.publish(first)
		b.works(first)
		b.publish(second)
		for range 10 {
			if err := b.verify(second); !errors.Is(err, jose.ErrNoKey) {
				t.Errorf("young keys: %v", err)
			}
		}
		b.fetched(1)
		time.Sleep(time.Minute)
		b.works(second)
		b.fetched(2)
	})
}
