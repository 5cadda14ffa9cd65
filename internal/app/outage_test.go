package app

import (
	"bytes"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/testkit/outage"
)

// TestOutages is the drill in short: the authorization server is slow, refuses, hangs and flaps, under load. The tests
// against real servers have the long one.
func TestOutages(t *testing.T) {
	t.Parallel()
	const limit, timeout = 64, 700 * time.Millisecond
	srv := outage.NewServer(t, timeout+100*time.Millisecond)
	w := start(t, func(c *config.Config) {
		i := &c.Issuers[0]
		i.Endpoint.IntrospectionEndpoint, i.Endpoint.Timeout, i.MaxInFlight, i.Cache.TTL = srv.URL(), timeout, limit, time.Hour
	})
	rows, err := outage.Run(t.Context(), outage.Plan{
		API: w.api, Server: srv, Phase: 1200 * time.Millisecond, Calm: 600 * time.Millisecond, Patience: 20 * time.Second, Rate: 150, Known: 100,
	})
	if err != nil {
		t.Fatal(err)
	}
	// Times are those of a machine that has no time for us. A connection that we leave is gone a moment later for the
	// server: it may see a few more than we keep.
	bounds := outage.Bounds{Deadline: 15 * time.Second, Recovery: 15 * time.Second, UpstreamCalls: limit + limit/8}
	var table bytes.Buffer
	if err := outage.Write(&table, rows, bounds); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", table.String())
	for _, r := range rows {
		for _, f := range r.Faults(bounds) {
			t.Error(f)
		}
	}
}
