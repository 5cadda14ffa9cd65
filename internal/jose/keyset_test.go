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
	n         int // tokens of strangers
}

func inBubble(t *testing.T, test func(b *bed)) {
	t.Helper()
	old, next := signer(t, "p256", "", "old"), signer(t, "p384", "", "next")
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{}
		p.publish(old)
		s := jose.NewKeySet(jose.KeySetConfig{Name: "a", Fetch: p.fetch})
		defer s.Close()
		test(&bed{publisher: p, t: t, set: s, old: old, next: next})
	})
}

// verify verifies a token that is signed now, as a caller with 2 s for it would. Some time goes by between the two.
func (b *bed) verify(by *jose.Signer) error {
	token := sign(b.t, by, "JWT", struct{}{})
	time.Sleep(time.Millisecond)
	return b.present(token)
}

func (b *bed) present(token string) error {
	ctx, cancel := context.WithTimeout(b.t.Context(), 2*time.Second)
	defer cancel()
	_, err := jose.Verify(ctx, token, anything, b.set)
	return err
}

// stranger is a token that no published key has signed; each call makes another one.
func (b *bed) stranger(kid string) string {
	b.n++
	return handmade(b.t, "p384", "ES384", `{"alg":"ES256","typ":"JWT","kid":"`+kid+`"}`, fmt.Sprintf(`{"jti":"%d"}`, b.n))
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
		b.fetched(3)
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

// unavailable is how long to wait, of an error that says nothing about the token.
func unavailable(t testing.TB, err error) time.Duration {
	t.Helper()
	e, ok := errors.AsType[*authz.Error](err)
	if !ok || e.Kind != authz.Unavailable || e.RetryAfter <= 0 || e.RetryAfter > 5*time.Second {
		t.Errorf("%v", err)
		return time.Second
	}
	return e.RetryAfter
}

func TestAFloodOfUnknownKeysCausesFewFetchesAndNoVerdictWithoutOne(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.works(b.old)
		var refused, told atomic.Int64
		var all sync.WaitGroup
		for i := range 3000 { // 100 a second
			time.Sleep(10*time.Millisecond + 7*time.Microsecond) // never just when a fetch begins
			token, came, fetched := b.stranger(fmt.Sprint("stranger", i)), time.Now(), b.calls.Load()
			all.Go(func() {
				err := b.present(token)
				switch {
				case errors.Is(err, jose.ErrNoKey) && b.calls.Load() > fetched:
					refused.Add(1)
				case errors.Is(err, jose.ErrNoKey):
					b.t.Errorf("refused by keys that are older than the token")
				default:
					unavailable(b.t, err)
					told.Add(1)
				}
				if time.Since(came) > 2*time.Second {
					b.t.Errorf("waited for %s", time.Since(came))
				}
			})
		}
		all.Wait()
		if n := b.calls.Load(); n > 2+30/5+3 {
			b.t.Errorf("%d fetches in 30 s", n)
		}
		if refused.Load() == 0 {
			b.t.Error("no token was refused")
		}
		b.works(b.old)
	})
}

func TestAKeyThatWasJustPublishedIsNeverCalledUnknown(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.works(b.old)
		time.Sleep(time.Minute)
		if err := b.present(b.stranger("invented")); !errors.Is(err, jose.ErrNoKey) {
			b.t.Error(err)
		}
		b.publish(b.old, b.next)
		time.Sleep(300 * time.Millisecond)
		b.works(b.next) // it waits for the next fetch
		b.fetched(3)
	})
}

func TestAKeyThatIsPublishedDuringAFloodIsFoundInTime(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.works(b.old)
		var all sync.WaitGroup
		for i := range 2000 {
			time.Sleep(10 * time.Millisecond)
			token := b.stranger(fmt.Sprint("stranger", i))
			all.Go(func() { _ = b.present(token) })
			if i != 1000 {
				continue
			}
			b.publish(b.old, b.next)
			start := time.Now()
			all.Go(func() {
				for {
					err := b.verify(b.next)
					if err == nil {
						break
					}
					time.Sleep(unavailable(b.t, err))
				}
				if took := time.Since(start); took > 6*time.Second {
					b.t.Errorf("found after %s", took)
				}
			})
		}
		all.Wait()
	})
}

func TestTheSameBadTokenAgainCausesNoFetchAndIsRefusedAtOnce(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.works(b.old)
		for name, token := range map[string]string{"an unknown key": b.stranger("x"), "a bad signature": b.stranger("old")} {
			time.Sleep(time.Minute)
			n := b.calls.Load()
			for i := range 40 {
				start := time.Now()
				if err := b.present(token); !errors.Is(err, jose.ErrNoKey) && !errors.Is(err, jose.ErrSignature) {
					b.t.Errorf("%s, time %d: %v", name, i, err)
				}
				if time.Since(start) != 0 {
					b.t.Errorf("%s, time %d: waited for %s", name, i, time.Since(start))
				}
				time.Sleep(100 * time.Millisecond)
			}
			b.fetched(n + 1)
		}
	})
}

func TestATamperedTokenIsRefusedAtOnceUnlessItIsNewerThanTheKeys(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.works(b.old)
		forged := func(claims string) string {
			b.n++
			return handmade(b.t, "p384", "ES384", `{"alg":"ES256","typ":"JWT","kid":"old"}`, fmt.Sprintf(`{"jti":"%d",%s}`, b.n, claims))
		}
		time.Sleep(time.Hour / 2)
		issued, ended := time.Now().Add(-time.Minute).Unix(), time.Now().Add(-time.Hour).Unix()
		for range 200 { // 20 s
			for name, token := range map[string]string{"old": forged(fmt.Sprintf(`"iat":%d`, issued)), "long expired": forged(fmt.Sprintf(`"exp":%d`, ended)), "no claims": forged(`"iat"`)} {
				start := time.Now()
				if err := b.present(token); !errors.Is(err, jose.ErrSignature) || time.Since(start) != 0 {
					b.t.Errorf("%s: %v after %s", name, err, time.Since(start))
				}
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := b.calls.Load(); n > 6 {
			b.t.Errorf("%d fetches", n)
		}
		n := b.calls.Load()
		if err := b.present(forged(fmt.Sprintf(`"iat":%d`, time.Now().Unix()))); !errors.Is(err, jose.ErrSignature) {
			unavailable(b.t, err)
		}
		b.fetched(n + 1)
	})
}

func TestMoreThanMayWaitForAKeyAreToldToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{}
		b := &bed{publisher: p, t: t, old: signer(t, "p256", "", "old")}
		p.publish(b.old)
		b.set = jose.NewKeySet(jose.KeySetConfig{Name: "a", Fetch: p.fetch, MostWaiting: 3})
		defer b.set.Close()
		b.works(b.old)
		p.slow(time.Second)
		time.Sleep(time.Minute)
		var all sync.WaitGroup
		var crowded atomic.Int64
		for i := range 10 {
			token := b.stranger(fmt.Sprint(i))
			all.Go(func() {
				if err := b.present(token); !errors.Is(err, jose.ErrNoKey) {
					unavailable(t, err)
					crowded.Add(1)
				}
			})
		}
		all.Wait()
		if n := crowded.Load(); n != 7 {
			t.Errorf("%d were told to come back", n)
		}
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
		if _, err := b.set.Find(b.t.Context(), jose.Header{Algorithm: "ES256"}); err != nil {
			b.t.Error(err)
		}
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

func TestAFailureKeepsItsKind(t *testing.T) {
	for kind, cause := range map[authz.Kind]error{
		authz.Misconfigured: authz.E(authz.Misconfigured, "status 404"),
		authz.Unavailable:   authz.E(authz.Unavailable, "status 503"),
	} {
		inBubble(t, func(b *bed) {
			b.publisher.set(nil, cause)
			for range 100 {
				err := b.verify(b.old)
				e, ok := errors.AsType[*authz.Error](err)
				if !ok || e.Kind != kind || (e.RetryAfter > 0) != (kind == authz.Unavailable) || e.RetryAfter > time.Second || !strings.Contains(err.Error(), cause.Error()) {
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
			b.publisher.set(nil, authz.E(authz.Unavailable, "connect"))
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
		time.Sleep(time.Hour + 3*time.Second)
		unavailable(b.t, b.verify(b.old))
		b.publish(b.next)
		time.Sleep(500 * time.Millisecond)
		b.works(b.next)
	})
}

func TestAnEmptyKeySetForAMomentRefusesNoGoodToken(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.works(b.old)
		b.publish()
		time.AfterFunc(time.Hour+500*time.Millisecond, func() { b.publish(b.old) })
		for range 75 {
			time.Sleep(time.Minute)
			b.works(b.old)
		}
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
			for range 10 {
				bad := b.stranger(kidOf(name))
				time.Sleep(time.Millisecond)
				if err := b.present(bad); !errors.Is(err, jose.ErrSignature) {
					unavailable(b.t, err)
				}
			}
			if n := b.calls.Load(); n > 6 {
				b.t.Errorf("%s: %d fetches", name, n)
			}
			if err := b.verify(first); !errors.Is(err, jose.ErrSignature) {
				unavailable(b.t, err)
			}
			time.Sleep(6 * time.Second)
			if err := b.verify(first); !errors.Is(err, jose.ErrSignature) {
				b.t.Errorf("%s: %v", name, err)
			}
		})
	}
}

func TestAKeyThatChangedUnderItsNameWhileTheServerIsDownIsNoVerdict(t *testing.T) {
	inBubble(t, func(b *bed) {
		for _, kid := range []string{"1", ""} {
			first, second := signer(t, "p256", "", kid), signer(t, "p384", "", kid)
			b.publish(first)
			time.Sleep(2 * time.Hour)
			b.works(first)
			b.publisher.set(nil, authz.E(authz.Unavailable, "connect"))
			time.Sleep(time.Minute)
			for range 20 {
				unavailable(b.t, b.verify(second))
				unavailable(b.t, b.present(b.stranger(kid))) // it may be signed by a newer key as well
				b.works(first)
				time.Sleep(time.Second)
			}
			b.publish(second)
			time.Sleep(500 * time.Millisecond)
			b.works(second)
		}
	})
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
		token := b.stranger("x")
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
		b.works(second)
		b.fetched(2)
	})
}
