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
	const limit, timeout = 24, 700 * time.Millisecond
	srv := outage.NewServer(t, timeout+100*time.Millisecond)
	w := start(t, func(c *config.Config) {
		i := &c.Issuers[0]
		i.Endpoint.IntrospectionEndpoint, i.Endpoint.Timeout, i.MaxInFlight, i.Cache.TTL = srv.URL(), timeout, limit,
			time.Hour
	})
	rows, err := outage.Run(t.Context(), outage.Plan{
		API: w.api, Server: srv, Phase: 1200 * time.Millisecond, Calm: 600 * time.Millisecond,
		Patience: 20 * time.Second, Rate: 150, Known: 100,
	})
	if err != nil {
		t.Fatal(err)
	}
	// The times are those of a machine with other work. The server notices late that the sidecar gave up on a request,
	// so that it counts more than the sidecar. Without the limit there would be about 80.
	bounds := outage.Bounds{Deadline: 15 * time.Second, Recovery: 15 * time.Second, UpstreamCalls: 2 * limit}
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
