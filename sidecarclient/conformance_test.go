package sidecarclient_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/clientcases"
	"github.com/authz-sidecar/sidecar/sidecarclient"
	"github.com/authz-sidecar/sidecar/sidecarclient/sidecarecho"
)

// TestConformance is the table that the clients of all languages pass, against a real sidecar.
func TestConformance(t *testing.T) {
	w := clientcases.NewWorld(t, startSidecar)
	for name, guarded := range map[string]func(sidecarclient.MiddlewareConfig) http.Handler{
		"Go net/http": func(cfg sidecarclient.MiddlewareConfig) http.Handler {
			return sidecarclient.Middleware(cfg)(http.HandlerFunc(echoRequest))
		},
		"Go echo": func(cfg sidecarclient.MiddlewareConfig) http.Handler {
			e := echo.New()
			e.Use(sidecarecho.Middleware(cfg))
			e.Any("/*", echo.WrapHandler(http.HandlerFunc(echoRequest)))
			return e
		},
	} {
		t.Run(name, func(t *testing.T) { w.Drive(t, clientcases.App{Name: name, Start: starting(guarded)}) })
	}
	t.Logf("\n%s", w.Table())
}

// starting serves an application on a server of its own.
func starting(guarded func(sidecarclient.MiddlewareConfig) http.Handler) func(*testing.T,
	clientcases.Settings) string {
	return func(t *testing.T, s clientcases.Settings) string {
		t.Helper()
		client, err := sidecarclient.New(sidecarclient.Config{Address: s.SidecarURL, Timeout: s.Timeout})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(guarded(sidecarclient.MiddlewareConfig{
			Client: client, Log: (&testkit.LogBuffer{}).Logger(),
		}))
		t.Cleanup(server.Close)
		return server.Listener.Addr().String()
	}
}

// echoRequest answers with what the application saw.
func echoRequest(w http.ResponseWriter, r *http.Request) {
	d, _ := sidecarclient.FromContext(r.Context())
	headers := map[string][]string{}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = append(headers[strings.ToLower(name)], values...)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"target": r.RequestURI, "headers": headers, "context": d.Context})
}

// startSidecar runs a sidecar in this process until the end of the test.
func startSidecar(t *testing.T, configuration string) string {
	t.Helper()
	cfg, err := config.Load(configuration, nil)
	if err != nil {
		t.Fatal(err)
	}
	log := &testkit.LogBuffer{}
	a, err := app.New(t.Context(), cfg, app.Deps{
		Version: "test", Stdout: log, Log: telemetry.NewLogger(cfg.Telemetry.Log, log),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(log.String())
		}
	})
	return "http://" + a.APIAddr().String()
}
