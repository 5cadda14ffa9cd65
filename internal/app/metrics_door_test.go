package app

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/config"
)

// scraped starts a sidecar whose metrics may be asked from other machines, and returns the port of that listener.
func scraped(t *testing.T) (w *world, port string) {
	t.Helper()
	w = start(t, func(c *config.Config) {
		c.Listen.Metrics.Address, c.Listen.Metrics.Insecure = "0.0.0.0:0", true
	})
	_, port, err := net.SplitHostPort(w.app.Addr("metrics").String())
	if err != nil {
		t.Fatal(err)
	}
	return w, port
}

// TestTheListenerOfMetricsServesMetricsAndProbesAlone: a scraper has no way to evictions, events, status or decisions.
func TestTheListenerOfMetricsServesMetricsAndProbesAlone(t *testing.T) {
	w, port := scraped(t)
	url := "http://127.0.0.1:" + port
	for _, path := range []string{"/metrics", "/livez", "/readyz"} {
		if _, err := w.send(t.Context(), "GET", url+path, ""); err != nil {
			t.Error(err)
		}
	}
	for _, call := range []string{
		"GET /v1/status", "POST /v1/evict", "POST /v1/explain", "POST /v1/events/dev/keycloak", "POST /v1/decisions",
		"POST /v1/decisions/batch", "GET /debug/pprof/",
	} {
		method, path, _ := strings.Cut(call, " ")
		if status, body, err := w.exchange(t.Context(), method, url+path, "{}"); err != nil || status != 404 {
			t.Errorf("%s: %d %s, %v", call, status, body, err)
		}
	}
}

// TestAProbeNamesTheAddressOfThePod: kubelet sends the address and the port that it asks as Host.
func TestAProbeNamesTheAddressOfThePod(t *testing.T) {
	w, port := scraped(t)
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://127.0.0.1:"+port+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "10.1.2.3:" + port
	if status, body := w.do(t, r); status != 200 {
		t.Errorf("%d %s", status, body)
	}
}

func TestWithoutAnAddressNoMetricsAreServedBesideTheAdminListener(t *testing.T) {
	w := start(t, nil)
	if at := w.app.Addr("metrics"); at != nil {
		t.Errorf("listens on %v", at)
	}
	resp, err := http.Get(w.api + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 404 {
		t.Errorf("api: %s, %v", resp.Status, err)
	}
}
