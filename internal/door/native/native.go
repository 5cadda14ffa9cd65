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
	// Mounts are further doors on the listeners of this one.
	Mounts []door.Mount
}

// ListenAPI opens the api listener.
func ListenAPI(cfg listen.Config, deps Deps, on listen.Deps) (*listen.HTTP, error) {
	return open(cfg, "api", addAPI, deps, on)
}

// ListenAdmin opens the admin listener.
func ListenAdmin(cfg listen.Config, deps Deps, on listen.Deps) (*listen.HTTP, error) {
	return open(cfg, "admin", addAdmin, deps, on)
}

// ListenMetrics opens the listener of metrics and probes. It serves nothing that changes or reveals anything: it may
// be reached from further away than the others.
func ListenMetrics(cfg listen.Config, deps Deps, on listen.Deps) (*listen.HTTP, error) {
	return open(cfg, "metrics", addMetrics, deps, on)
}

// open opens a listener with the paths that add adds, and the description of the API.
func open(
	cfg listen.Config, listener string, add func(*echo.Echo, listen.Limits, Deps), deps Deps, on listen.Deps,
) (*listen.HTTP, error) {
	h, err := handler(cfg, listener, add, deps, on)
	if err != nil {
		return nil, err
	}
	return listen.OpenHTTP(cfg, h, on)
}

// handler serves the paths of a listener.
func handler(
	cfg listen.Config, listener string, add func(*echo.Echo, listen.Limits, Deps), deps Deps, on listen.Deps,
) (http.Handler, error) {
	guard, err := listen.NewGuard(cfg, on)
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = errorsOf(listener, deps.Mounts)
	e.Use(guarded(guard, door.Doors(deps.Mounts), newMisled(on.Log, listener)))
	add(e, cfg.Limits, deps)
	addMounts(e, listener, deps.Mounts)
	addDescription(e, listener, door.Doors(deps.Mounts))
	return e, nil
}

func addAPI(e *echo.Echo, limits listen.Limits, deps Deps) {
	d := &decisions{Bodies: door.Bodies{Limits: limits}, point: deps.Point, entrypoints: deps.entrypoints,
		tracer: deps.Tracer}
	e.POST("/v1/decisions", d.one)
	e.POST("/v1/decisions/batch", d.batch)
	e.POST("/v1/decisions/*", d.one)
	addStatus(e, deps.Status)
	addProbes(e, deps.Status)
}

func addAdmin(e *echo.Echo, limits listen.Limits, deps Deps) {
	ev := &evictions{Bodies: door.Bodies{Limits: limits}, evictor: deps.Evictor, log: deps.Log}
	e.POST("/v1/evict", ev.evict)
	ex := &explanations{
		Bodies: door.Bodies{Limits: limits}, explainer: deps.Explainer, entrypoints: deps.entrypoints, log: deps.Log,
		free: make(chan struct{}, maxExplaining),
	}
	e.POST("/v1/explain", ex.explain)
	if deps.Events != nil {
		e.POST(eventsPath, echo.WrapHandler(deps.Events))
	}
	addStatus(e, deps.Status)
	addMetrics(e, limits, deps)
}

func addMetrics(e *echo.Echo, _ listen.Limits, deps Deps) {
	e.GET("/metrics", func(c echo.Context) error {
		c.Response().Header().Set("Cache-Control", "no-store")
		deps.Metrics.ServeHTTP(c.Response(), c.Request())
		return nil
	})
	addProbes(e, deps.Status)
}

func (d Deps) entrypoints() []string { return d.Status().Policy.Entrypoints }
