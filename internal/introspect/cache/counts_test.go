package cache

import (
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func TestWhatTheCacheHoldsIsMeasured(t *testing.T) {
	r := testkit.NewRegistry()
	c := open(t, constant(func() introspect.Fact { return answer(authz.Claims{}) }), nil)
	c.register(r)
	ask(t, c, "a")
	ask(t, c, "b")
	ask(t, c, "c")
	if n, _ := c.Evict(authz.Revocation{Token: secret.New("c")}); n != 1 {
		t.Errorf("%d answers evicted, want 1", n)
	}
	for series, want := range map[string]float64{
		`sidecar_introspect_cache_entries{cache="active"}`:   2,
		`sidecar_introspect_cache_entries{cache="inactive"}`: 0,
		`sidecar_introspect_cache_bytes`:                     float64(c.Stats().Active.Bytes),
		`sidecar_introspect_tombstones{kind="pending"}`:      0,
		`sidecar_introspect_tombstones{kind="remembered"}`:   1,
	} {
		if got := r.Value(t, series); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	if r.Value(t, "sidecar_introspect_cache_bytes") == 0 {
		t.Error("answers take no memory")
	}
}

func TestCountingALookUpDoesNotAllocate(t *testing.T) {
	c := newCounts(nil)
	if n := testing.AllocsPerRun(100, func() {
		c.active.lookedUp(true)
		c.stale.Inc(staleRefreshing)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
