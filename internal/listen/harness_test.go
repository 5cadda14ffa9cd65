package listen_test

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/listen"
)

// loopback is a listener on a free port.
func loopback() listen.Config {
	return listen.Config{Address: "127.0.0.1:0", Limits: listen.Limits{
		BodyBytes: 4096, HeaderBytes: 4096, BatchItems: 5, ReadTimeout: 5 * time.Second, Timeout: time.Minute,
		IdleTimeout: time.Minute,
	}}
}

// hello answers every call.
var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })

func deps() listen.Deps {
	return listen.Deps{Name: "api", Log: slog.New(slog.DiscardHandler), Calls: new(listen.Calls)}
}

// serve serves h until the test ends.
func serve(t *testing.T, cfg listen.Config, h http.Handler, deps listen.Deps) *listen.HTTP {
	t.Helper()
	d, err := listen.OpenHTTP(cfg, h, deps)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- d.Serve() }()
	t.Cleanup(func() {
		over, stop := context.WithCancel(context.Background())
		stop()
		_ = d.Shutdown(over)
		if err := <-ended; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	})
	return d
}

// get sends a call over a connection of its own.
func get(t *testing.T, transport *http.Transport, url string) (string, *tls.ConnectionState, error) {
	t.Helper()
	transport.DisableKeepAlives = true
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), resp.TLS, nil
}
