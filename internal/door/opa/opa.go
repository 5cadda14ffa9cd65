// Package opa is the door for clients of OPA: its data API, over the entrypoints of the policy. A call is the native
// one in OPA's envelope, so that claims of a token come from its authorization server and never from the caller.
package opa

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
)

// Config says whether the door is open.
type Config struct {
	Enabled bool `yaml:"enabled" doc:"Serve OPA's data API for the entrypoints, on listen.api."`
}

// Point decides. See decision.Point.
type Point interface {
	Callable(entrypoint string) bool
	// DecideRaw returns nil beside a decision that no policy made.
	DecideRaw(ctx context.Context, q authz.Query) (d authz.Decision, result []byte)
}

// Deps are what the door works with.
type Deps struct {
	Point Point
	// Parse reads an input: the body of the native call. Its error is a *door.CallError.
	Parse  func(input []byte) (authz.Query, error)
	Limits listen.Limits
	Tracer *telemetry.Tracer
}

// Mount returns the door.
func Mount(cfg Config, deps Deps) door.Mount {
	d := &data{Bodies: door.Bodies{Limits: deps.Limits}, cfg: cfg, deps: deps}
	return door.Mount{Door: described(), Handlers: map[string]http.Handler{
		idV1: http.HandlerFunc(d.v1), idV0: http.HandlerFunc(d.v0),
	}}
}

// data serves POST /v1/data/ENTRYPOINT and POST /v0/data/ENTRYPOINT.
type data struct {
	door.Bodies
	cfg  Config
	deps Deps
}

func (d *data) v1(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Input jsontext.Value `json:"input"`
	}
	of, raw, failed := d.ask(r, v1Path, &in, &in.Input)
	if failed != nil {
		failed.write(w)
		return
	}
	writeV1(w, of, raw)
}

func (d *data) v0(w http.ResponseWriter, r *http.Request) {
	var in jsontext.Value
	_, raw, failed := d.ask(r, v0Path, &in, &in)
	switch {
	case failed != nil:
		failed.write(w)
	case raw == nil:
		undefined("the decision is undefined: the token cannot be used").write(w)
	default:
		write(w, http.StatusOK, append(raw, '\n'))
	}
}

// ask decides the question of a call: into is what its body is read into, input the member of it that is the question.
// The result is nil where the token cannot be used.
func (d *data) ask(r *http.Request, under string, into any, input *jsontext.Value) (authz.Decision, []byte, *failure) {
	if !d.cfg.Enabled {
		return authz.Decision{}, nil, &failure{Status: http.StatusNotFound, Code: codeNotFound,
			Message: "the OPA API is off: set opa.enabled to true in the configuration"}
	}
	entrypoint, ok := entrypointOf(r.URL.EscapedPath(), under)
	if !ok || !d.deps.Point.Callable(entrypoint) {
		return authz.Decision{}, nil, undefined("no entrypoint has this path: /v1/status lists those of the policy")
	}
	if err := d.Read(r, into); err != nil {
		return authz.Decision{}, nil, failureOf(err, "")
	}
	at := ""
	if under == v1Path {
		at = "/input"
	}
	if input.Kind() != '{' {
		return authz.Decision{}, nil, failureOf(door.NewCallError(http.StatusBadRequest, "wrong_type",
			`want an object such as {"request": {"method": "GET", "url": "/orders/42"}}`, at), "")
	}
	q, err := d.deps.Parse(*input)
	if err != nil {
		return authz.Decision{}, nil, failureOf(err, at)
	}
	q.Entrypoint, q.Caller = entrypoint, r.RemoteAddr
	ctx, cancel := context.WithTimeout(r.Context(), d.deps.Limits.Timeout)
	defer cancel()
	ctx = d.deps.Tracer.Extract(ctx, r.Header.Get)
	ctx, span := d.deps.Tracer.Start(ctx, "POST "+under+"*", telemetry.Serving)
	defer span.End()
	decided, raw := d.deps.Point.DecideRaw(ctx, q)
	return decided, raw, refused(decided, raw)
}

// entrypointOf is the path below a prefix, of segments that are decoded one by one: an encoded slash ends no segment,
// and no entrypoint has one within a segment.
func entrypointOf(escaped, under string) (string, bool) {
	rest, ok := strings.CutPrefix(escaped, under)
	if !ok || rest == "" {
		return "", false
	}
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		decoded, err := url.PathUnescape(s)
		if err != nil || decoded == "" || strings.Contains(decoded, "/") {
			return "", false
		}
		segments[i] = decoded
	}
	return strings.Join(segments, "/"), true
}
