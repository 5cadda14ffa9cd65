// Package authzen is the door of the AuthZEN Authorization API 1.0 (OpenID Foundation, January 2026): evaluation,
// evaluations, the three searches and the metadata.
package authzen

import (
	"context"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
)

// Point decides.
type Point interface {
	Decide(ctx context.Context, q authz.Query) authz.Decision
	// DecideAll answers in order.
	DecideAll(ctx context.Context, qs []authz.Query) []authz.Decision
}

// Deps are what the door works with.
type Deps struct {
	Point Point
	// Limits are those of the listener.
	Limits listen.Limits
	// Metrics counts calls; nil counts for itself.
	Metrics metrics.Registerer
	// Tracer continues the traces of calls; nil when traces are off.
	Tracer *telemetry.Tracer
}

type api struct {
	cfg    Config
	deps   Deps
	bodies door.Bodies
	calls  *door.Answered
}

// Mount returns the door.
func Mount(cfg Config, deps Deps) door.Mount {
	a := &api{cfg: cfg, deps: deps, bodies: door.Bodies{Limits: deps.Limits}, calls: door.NewAnswered(deps.Metrics,
		"sidecar_door_authzen_calls_total", "Calls of the AuthZEN API, by outcome.")}
	handlers := map[string]http.Handler{
		"authzenMetadata":      a.handler("metadata", a.metadata),
		"authzenMetadataBelow": a.handler("metadata", a.metadata),
	}
	for _, s := range []struct {
		id    string
		off   string // the key that is missing, or ""
		serve func(*http.Request) (any, error)
	}{
		{"evaluate", "", a.evaluation},
		{"evaluateAll", "", a.evaluations},
		{"searchSubject", missing(cfg.Search.Subject, "subject"), a.search("subject", cfg.Search.Subject)},
		{"searchResource", missing(cfg.Search.Resource, "resource"), a.search("resource", cfg.Search.Resource)},
		{"searchAction", missing(cfg.Search.Action, "action"), a.search("action", cfg.Search.Action)},
	} {
		if cfg.Entrypoint == "" {
			s.off = "authzen.entrypoint"
		}
		if s.off != "" {
			s.serve = func(*http.Request) (any, error) { return nil, off(s.off) }
		}
		handlers[s.id] = a.handler(s.id, s.serve)
	}
	return door.Mount{Door: describe(), Handlers: handlers, Below: []string{"/access"}, Refuse: refuse}
}

func missing(entrypoint, searched string) string {
	if entrypoint == "" {
		return "authzen.search." + searched
	}
	return ""
}

// off refuses a call of what is not configured.
func off(key string) error {
	return door.NewCallError(http.StatusNotFound, "not_configured",
		"this is off: the configuration of the sidecar has no "+key, "")
}

// handler serves one operation: its answer as JSON, or its error.
func (a *api) handler(operation string, serve func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		timed := door.WithTimeout(r.Context(), a.deps.Limits.Timeout)
		defer timed.End()
		var ctx context.Context = timed
		if a.deps.Tracer != nil {
			ctx = a.deps.Tracer.Extract(ctx, r.Header.Get)
			traced, span := a.deps.Tracer.Start(ctx, r.Method+" AuthZEN "+operation, telemetry.Serving)
			defer span.End()
			ctx = traced
		}
		out, err := serve(r.WithContext(ctx))
		var body []byte
		if err == nil {
			body, err = json.Marshal(out, json.Deterministic(true))
		}
		if err != nil {
			e := door.AsCallError(err)
			a.calls.Ended(e.Status)
			refuse(w, r, e)
			return
		}
		a.calls.Ended(http.StatusOK)
		write(w, r, http.StatusOK, body)
	})
}

// write writes an answer with the X-Request-ID of its call (AZ-13).
func write(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	h := w.Header()
	if id := r.Header.Get("X-Request-ID"); id != "" && echoed(id) {
		h.Set("X-Request-ID", id)
	}
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store") // BR-7
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // fails only when the caller is gone
}

// mostEchoed bounds an X-Request-ID that is repeated.
const mostEchoed = 1024

// echoed reports whether an X-Request-ID may stand in an answer.
func echoed(id string) bool {
	return len(id) <= mostEchoed && !strings.ContainsFunc(id, func(r rune) bool { return r < 0x20 || r > 0x7e })
}

// refuse answers a call that is at fault. The body is a message, as a JSON string (AZ-12). A body of another type is a
// bad request here, as the certification has it (AZ-15).
func refuse(w http.ResponseWriter, r *http.Request, e *door.CallError) {
	status := e.Status
	if status == http.StatusUnsupportedMediaType {
		status = http.StatusBadRequest
	}
	if e.RetryAfter != "" {
		w.Header().Set("Retry-After", e.RetryAfter)
	}
	body, _ := json.Marshal(e.Error()) // text of this program
	write(w, r, status, body)
}
