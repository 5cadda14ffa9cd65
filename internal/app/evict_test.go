package app

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/config"
)

// TestEvictedTokenIsDeniedAtOnceWhileItIsInUse: the token is revoked at its server without an event; then a call to
// /v1/evict names it. Every later request is refused, however long answers are kept.
func TestEvictedTokenIsDeniedAtOnceWhileItIsInUse(t *testing.T) {
	w := start(t, func(c *config.Config) { c.Issuers[0].Cache.TTL = time.Hour })
	tok := w.token(t, good())
	if a := w.ask(t, tok); !a.Allow {
		t.Fatalf("answered %v", a)
	}
	var told atomic.Bool
	stop := make(chan struct{})
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				before := told.Load()
				a, err := w.try(t.Context(), tok)
				if err != nil || before && (a.Allow || a.Kind != "unauthenticated") {
					t.Errorf("told %t: answered %v, %v", before, a, err)
					return
				}
			}
		})
	}
	w.issuer.Revoke(tok)
	if a := w.ask(t, tok); !a.Allow {
		t.Errorf("answered %v: the cache does not hold it", a)
	}
	body, err := w.send(t.Context(), "POST", w.admin+"/v1/evict", `{"issuer":"dev","sub":"alice"}`)
	if err != nil || body != "{\n  \"evicted\": 1\n}\n" {
		t.Errorf("answered %s, %v", body, err)
	}
	told.Store(true)
	for range 20 {
		if a := w.ask(t, tok); a.Allow {
			t.Errorf("answered %v", a)
		}
	}
	close(stop)
	users.Wait()
}

func TestEvictedTokenThatIsStillGoodGoesOn(t *testing.T) {
	w := start(t, func(c *config.Config) { c.Issuers[0].Cache.TTL = time.Hour })
	tok := w.token(t, good())
	w.ask(t, tok)
	calls := w.issuer.Calls()
	if _, err := w.send(t.Context(), "POST", w.admin+"/v1/evict", `{"token":"`+tok+`"}`); err != nil {
		t.Fatal(err)
	}
	if a := w.ask(t, tok); !a.Allow || w.issuer.Calls() != calls+1 {
		t.Errorf("answered %v after %d questions", a, w.issuer.Calls()-calls)
	}
}
