package issuer

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// slowRefresh is a ledger that stops refreshes between the moment their answer is kept and their end.
type slowRefresh struct {
	ledger
	kept, release chan struct{}
}

func (l *slowRefresh) Refreshed(issuer, outcome string) {
	l.ledger.Refreshed(issuer, outcome)
	l.kept <- struct{}{}
	<-l.release
}

// Between the moment an answer is kept and the end of the question it came from, a revocation can evict it. Who asks
// after that found nothing in the cache, joined the question, and was given what had just been evicted.
func TestEV1_ACallerAfterARevocationDoesNotGetTheEvictedAnswer(t *testing.T) {
	l := &slowRefresh{kept: make(chan struct{}), release: make(chan struct{})}
	var over atomic.Bool
	cfg := testConfig(t, "https://as.example/introspect")
	cfg.Cache.TTL, cfg.Cache.HardTTL = 1, time.Hour
	i, err := New(cfg, Deps{Fingerprints: secret.NewFingerprinter(), Observer: l, Log: slog.New(slog.DiscardHandler),
		Transport: wire(func(*http.Request) (*http.Response, error) {
			if over.Load() {
				return wireJSON(no), nil
			}
			return wireJSON(told), nil
		})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	ask(t, i)
	if !ask(t, i).Active { // and is refreshed
		t.Fatal("it is not kept")
	}
	<-l.kept
	over.Store(true)
	if n := evict(t, i, authz.Revocation{SessionID: "s1"}); n != 1 {
		t.Fatalf("%d answers evicted", n)
	}
	misses := l.of(&l.cached, "inactive false")
	answer := make(chan *authz.Claims)
	go func() {
		c, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New(testToken)})
		if err != nil {
			t.Error(err)
		}
		answer <- c
	}()
	testkit.Eventually(t, "the question is put", func() bool { return l.of(&l.cached, "inactive false") > misses })
	close(l.release)
	if c := <-answer; c == nil || c.Active {
		t.Error("the answer that was evicted is used")
	}
}
