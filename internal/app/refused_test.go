package app

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/testkit/outage"
)

// TestAServerThatRefuses tells 40 callers at once that the authorization server is down, and the first caller after it
// that it is back. -v prints how long each took; how many connections it costs is asserted where there is a clock for
// it, in introspect/issuer.
func TestAServerThatRefuses(t *testing.T) {
	t.Parallel()
	srv := outage.NewServer(t, 0)
	w := start(t, func(c *config.Config) { c.Issuers[0].Endpoint.IntrospectionEndpoint = srv.URL() })
	ask := func(n int) (string, time.Duration) {
		begun := time.Now()
		d := w.ask(t, fmt.Sprintf("good-%d", n))
		return d.Kind, time.Since(begun)
	}
	if kind, _ := ask(0); kind != "allow" {
		t.Fatalf("before the outage: %s", kind)
	}
	if err := srv.Become(outage.Refusing); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var callers sync.WaitGroup
	var slowest time.Duration
	for n := range 40 {
		callers.Go(func() {
			kind, took := ask(1 + n)
			mu.Lock()
			defer mu.Unlock()
			slowest = max(slowest, took)
			if kind != "unavailable" {
				t.Errorf("while it is down: %s", kind)
			}
		})
	}
	callers.Wait()
	if err := srv.Become(outage.Healthy); err != nil {
		t.Fatal(err)
	}
	n, begun := 100, time.Now()
	for kind := ""; kind != "allow"; n++ {
		if kind, _ = ask(n); time.Since(begun) > 20*time.Second {
			t.Fatalf("long after the return: %s", kind)
		}
		time.Sleep(time.Millisecond)
	}
	t.Logf("the slowest of 40 was refused in %v, the first was answered %v after the return, at attempt %d", slowest,
		time.Since(begun), n-100)
}
