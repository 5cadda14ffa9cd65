package jose_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
)

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
		time.Sleep(2 * time.Second) // no request meanwhile
		b.fetched(2)
		if err := b.verify(b.old); !errors.Is(err, jose.ErrNoKey) {
			b.t.Error(err)
		}
	})
}

func TestAFloodOfUnknownKeysCausesFewFetchesAndNoVerdictWithoutOne(t *testing.T) {
	inBubble(t, func(b *bed) {
		b.works(b.old)
		var refused, told atomic.Int64
		var all sync.WaitGroup
		for i := range 3000 { // 100 a second
			time.Sleep(10*time.Millisecond + 7*time.Microsecond) // never just when a fetch begins
			token, came, fetched := b.unknownKey(fmt.Sprint("unknown", i)), time.Now(), b.calls.Load()
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
		if err := b.present(b.unknownKey("invented")); !errors.Is(err, jose.ErrNoKey) {
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
			token := b.unknownKey(fmt.Sprint("unknown", i))
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
		for name, token := range map[string]string{"an unknown key": b.unknownKey("x"),
			"a bad signature": b.unknownKey("old")} {
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
			return handmade(b.t, "p384", "ES384", `{"alg":"ES256","typ":"JWT","kid":"old"}`,
				fmt.Sprintf(`{"jti":"%d",%s}`, b.n, claims))
		}
		time.Sleep(time.Hour / 2)
		issued, ended := time.Now().Add(-time.Minute).Unix(), time.Now().Add(-time.Hour).Unix()
		for range 200 { // 20 s
			for name, token := range map[string]string{"old": forged(fmt.Sprintf(`"iat":%d`, issued)),
				"long expired": forged(fmt.Sprintf(`"exp":%d`, ended)), "no claims": forged(`"iat"`)} {
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
		b.set = jose.NewKeySet(jose.KeySetConfig{Name: "a", Fetch: p.fetch, MaxWaiting: 3})
		defer b.set.Close()
		b.works(b.old)
		p.slow(time.Second)
		time.Sleep(time.Minute)
		var all sync.WaitGroup
		var crowded atomic.Int64
		for i := range 10 {
			token := b.unknownKey(fmt.Sprint(i))
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
				bad := b.unknownKey(kidOf(name))
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
			b.publisher.set(nil, authz.Errorf(authz.Unavailable, "connect"))
			time.Sleep(time.Minute)
			for range 20 {
				unavailable(b.t, b.verify(second))
				unavailable(b.t, b.present(b.unknownKey(kid))) // it may be signed by a newer key as well
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
