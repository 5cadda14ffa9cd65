// Package native is the HTTP door: the native API, probes, status and metrics. It alone imports echo.
package native

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/status"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
)

// Point decides.
type Point interface {
	Decide(ctx context.Context, q authz.Query) authz.Decision
	// DecideAll answers in order.
	DecideAll(ctx context.Context, qs []authz.Query) []authz.Decision
	// Callable reports whether callers may name an entrypoint.
	Callable(entrypoint string) bool
}

// Evictor evicts cached answers about tokens.
type Evictor interface {
	// Evict returns the number of evicted answers. An error of kind authz.Malformed means that the revocation is at
	// fault.
	Evict(v authz.Revocation) (int, error)
}

// Deps are what the handlers work with.
type Deps struct {
	Point  Point
	Status func() status.Report
	// Metrics serves the metrics on the admin listener and on that of metrics.
	Metrics http.Handler
	// Evictor evicts cached answers for POST /v1/evict of the admin listener.
	Evictor Evictor
	// Explainer answers POST /v1/explain of the admin listener.
	Explainer Explainer
	// Log gets the evictions and explanations of the admin listener.
	Log *slog.Logger
	// Events receives revocation events on the admin listener, below /v1/events/; nil when none are configured. It
	// needs no caller key: authorization servers have none, and each event is authenticated by itself.
	Events http.Handler
	// Tracer continues the traces of calls; nil when traces are off.
	Tracer *telemetry.Tracer
}

// OpenAPI opens the api listener.
func OpenAPI(cfg listen.Config, deps Deps, on listen.Deps) (*listen.HTTP, error) {
	e, err := newEcho(cfg, on)
	if err != nil {
		return nil, err
	}
	d := &decisions{Bodies: door.Bodies{Limits: cfg.Limits}, point: deps.Point, tracer: deps.Tracer}
	e.POST("/v1/decisions", d.one)
	e.POST("/v1/decisions/batch", d.batch)
	e.POST("/v1/decisions/*", d.one)
	addStatus(e, deps.Status)
	return listen.OpenHTTP(cfg, e, on)
}

// OpenAdmin opens the admin listener.
func OpenAdmin(cfg listen.Config, deps Deps, on listen.Deps) (*listen.HTTP, error) {
	e, err := newEcho(cfg, on)
	if err != nil {
		return nil, err
	}
	e.GET("/metrics", echo.WrapHandler(deps.Metrics))
	ev := &evictions{Bodies: door.Bodies{Limits: cfg.Limits}, evictor: deps.Evictor, log: deps.Log}
	e.POST("/v1/evict", ev.evict)
	ex := &explanations{
		Bodies: door.Bodies{Limits: cfg.Limits}, explainer: deps.Explainer, log: deps.Log,
		free: make(chan struct{}, maxExplaining),
	}
	e.POST("/v1/explain", ex.explain)
	if deps.Events != nil {
		e.POST(eventsPath, echo.WrapHandler(deps.Events))
	}
	addStatus(e, deps.Status)
	return listen.OpenHTTP(cfg, e, on)
}

// OpenMetrics opens the listener of metrics and probes. It serves nothing that changes or reveals anything: it may be
// reached from further away than the others.
func OpenMetrics(cfg listen.Config, deps Deps, on listen.Deps) (*listen.HTTP, error) {
	e, err := newEcho(cfg, on)
	if err != nil {
		return nil, err
	}
	e.GET("/metrics", echo.WrapHandler(deps.Metrics))
	addProbes(e, deps.Status)
	return listen.OpenHTTP(cfg, e, on)
}

func newEcho(cfg listen.Config, on listen.Deps) (*echo.Echo, error) {
	guard, err := listen.NewGuard(cfg, on)
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = writeError
	e.Use(guarded(guard))
	return e, nil
}
