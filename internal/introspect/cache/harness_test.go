package cache

import (
	"context"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const endpoint = "https://as.example/introspect"

// testLog is a log of revocations that ends JWTs for the time of memory.
func testLog(memory time.Duration) *Revocations {
	return NewRevocations("test", memory, secret.NewFingerprinter())
}

// open returns a cache before next that keeps answers for a minute, and revocations for an hour.
func open(t *testing.T, next introspect.AskerFunc, change func(*Config)) *Cache {
	t.Helper()
	cfg := Config{TTL: time.Minute, NegativeTTL: time.Minute, MaxEntries: 1000, MaxBytes: 8 << 20,
		NegativeMaxEntries: 100}
	if change != nil {
		change(&cfg)
	}
	c := New(next, cfg, Deps{
		Issuer: "test", Endpoint: func() string { return endpoint }, MaxInFlight: 64,
		Fingerprints: secret.NewFingerprinter(),
		Revocations:  testLog(time.Hour), IssuedAhead: 10 * time.Second,
	})
	t.Cleanup(c.Close)
	return c
}

// answer is an active answer of the server.
func answer(c authz.Claims) introspect.Fact {
	c.Active, c.Fetched = true, time.Now()
	return introspect.Fact{Fact: dialect.Fact{Claims: &c, Keep: dialect.Active}, Endpoint: endpoint}
}

// constant gives each question the same kind of fact.
func constant(f func() introspect.Fact) introspect.AskerFunc {
	return func(context.Context, introspect.Question) (introspect.Fact, error) { return f(), nil }
}

func asking(token string) introspect.Question {
	return introspect.Question{Token: secret.New(token), Freshness: authz.Freshness{Mode: authz.ModeIntrospect}}
}

// ask asks about a token and wants an answer.
func ask(t *testing.T, c *Cache, token string) *authz.Claims {
	t.Helper()
	f, err := c.Ask(t.Context(), asking(token))
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return f.Claims
}

// gaveWay is how many entries a store of newStoreCounts(r, "test") evicted for want of capacity.
func gaveWay(t testing.TB, r testkit.Registry) int {
	t.Helper()
	return int(r.Value(t, `sidecar_introspect_cache_evictions_total{cache="test",cause="capacity"}`))
}
