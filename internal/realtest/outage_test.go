//go:build real

package realtest

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit/outage"
)

// TestOutages takes the authorization server of a sidecar through one outage after another, 12 s each or
// SIDECAR_OUTAGE_SECONDS, under 500 requests a second. The protection is the shipped one, but for fewer questions at
// once, so that the limit is reached.
func TestOutages(t *testing.T) {
	t.Parallel()
	const limit = 256
	srv := outage.NewServer(t, 2*time.Second)
	v := vault{}
	sc := startSidecar(t, v, setup{secret: v.secret("secret of orders-api"), issuer: fmt.Sprintf(`
  - name: drill
    introspection_endpoint: %s
    allow_insecure_http: true
    client: {id: orders-api, secret: {env: CLIENT_SECRET}}
    tenant: [/tenant]
    max_in_flight: %d
    cache: {ttl: 1h}
`, srv.URL(), limit)})
	sc.answers.WriteString("those of the drill are read there")
	phase := 12 * time.Second
	if seconds := os.Getenv("SIDECAR_OUTAGE_SECONDS"); seconds != "" {
		n, err := strconv.Atoi(seconds)
		if err != nil {
			t.Fatalf("SIDECAR_OUTAGE_SECONDS: %v", err)
		}
		phase = time.Duration(n) * time.Second
	}
	rows, err := outage.Run(t.Context(), outage.Plan{API: sc.api, Server: srv, Phase: phase,
		Calm: 4 * time.Second, Patience: 5 * time.Second, Rate: 500, Known: 1000})
	if err != nil {
		t.Fatal(err)
	}
	// Questions have 2 s, and a busy machine may add as much. A connection that the sidecar leaves is gone a moment
	// later for the server.
	bounds := outage.Bounds{Deadline: 4 * time.Second, Recovery: time.Second, UpstreamCalls: limit + limit/8}
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
