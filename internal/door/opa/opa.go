// Package opa is the door for clients of OPA. A call about an entrypoint is the native one in OPA's envelope: claims
// of a token come from its authorization server and never from the caller. Packages that no other policy reaches read
// what callers pass.
package opa

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/status"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
)

// Config says whether the door is open.
type Config struct {
	Enabled         bool   `yaml:"enabled" doc:"Serve OPA's data API for the entrypoints, on listen.api."`
	DefaultDecision string `yaml:"default_decision" doc:"Path that POST / answers, such as authz/decision/allow. POST / is 404 without it."`
	// Packages get what callers pass, and nothing else.
	Packages []string `yaml:"packages" doc:"Packages whose input is what callers pass, whatever it is, such as app/authz. They and all other packages use nothing of each other."`
	Query    bool     `yaml:"query" doc:"Serve /v1/query: any query of Rego over the packages, by any caller of the listener."`
	// Policies shows sources to every caller of the listener.
	Policies        bool `yaml:"policies" doc:"Serve /v1/policies, the sources of the policies, /v1/config, and explain, to every caller of the listener."`
	IntrospectToken bool `yaml:"introspect_token" doc:"Introspect input.token of questions to packages, where it is a text, and put the facts about the token in its place."`
}

// Check reports every fault of c.
func (c Config) Check(fault func(key, cause, hint string)) {
	for i, path := range c.Packages {
		switch {
		case path == "" || strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/"):
			fault(fmt.Sprintf("packages[%d]", i), strconv.Quote(path)+" is no path of a package",
				"write one such as app/authz")
		case strings.HasPrefix(path, "data.") || strings.Contains(path, "."):
			fault(fmt.Sprintf("packages[%d]", i), strconv.Quote(path)+" is a reference of Rego, not a path",
				"write "+strings.ReplaceAll(strings.TrimPrefix(path, "data."), ".", "/"))
		}
	}
	if c.Query && len(c.Packages) == 0 {
		fault("query", "is true, and no package can be asked", "name packages in opa.packages, or remove query")
	}
	if !c.Enabled && (len(c.Packages) > 0 || c.DefaultDecision != "" || c.Query ||
		c.Policies) {
		fault("enabled", "is false, and other keys of the section are set", "set it to true, or remove them")
	}
}

// Point decides. See decision.Point.
type Point interface {
	Callable(entrypoint string) bool
	// DecideRaw returns nil beside a decision that no policy made.
	DecideRaw(ctx context.Context, q authz.Query) (d authz.Decision, result []byte)
	// AskedByCallers reports whether a path is within the packages.
	AskedByCallers(path []string) bool
	// Ask returns nil for what is undefined.
	Ask(ctx context.Context, q decision.CallerQuery) (d authz.Decision, result []byte)
	Filters
	// Query returns a JSON array of bindings, and nil where there are none.
	Query(ctx context.Context, q decision.CallerQuery, query string) (authz.Decision, []byte)
}

// Deps are what the door works with.
type Deps struct {
	Point Point
	// Parse reads an input: the body of the native call. Its error is a *door.CallError.
	Parse  func(input []byte) (authz.Query, error)
	Limits listen.Limits
	// Status is the sidecar's report of its own state.
	Status func() status.Report
	// Modules are the sources of the policies that decide.
	Modules func() []bundle.File
	// Metrics counts calls; nil counts for itself.
	Metrics metrics.Registerer
	Tracer  *telemetry.Tracer
}

// Mount returns the door.
func Mount(cfg Config, deps Deps) door.Mount {
	d := &data{Bodies: door.Bodies{Limits: deps.Limits}, cfg: cfg, deps: deps, calls: door.NewAnswered(deps.Metrics,
		"sidecar_door_opa_calls_total", "Calls of OPA's data API, by outcome.")}
	handlers := map[string]http.Handler{
		idV1: d.handler(v1Path, d.v1), idV0: d.handler(v0Path, d.v0), idDefault: d.handler("/", d.byDefault),
		idBatch: d.handler(batchPath, d.batch), idGet: d.handler(v1Path, d.get),
		idCompile: d.handler(compilePath, d.compile), idFilter: d.handler(filterPath, d.filter),
		idQuery: d.handler(queryPath, d.query), idQueryGet: d.handler(queryPath, d.queryGet),
	}
	maps.Copy(handlers, d.server())
	return door.Mount{Door: described(), Handlers: handlers,
		Below: []string{"/v1/data", "/v0/data", "/v1/batch", "/v1/policies", "/v1/compile",
			"/v1/query"}, Refuse: refuse}
}

// data serves the paths of OPA that ask for values.
type data struct {
	door.Bodies
	cfg   Config
	deps  Deps
	calls *door.Answered
}

// reply is the answer to a call.
type reply struct {
	status int
	body   []byte
	// mediaType is that of the body; empty for JSON.
	mediaType string
}

// handler serves the operation whose path begins with under.
func (d *data) handler(under string, serve func(*http.Request) (reply, *failure)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		timed := door.WithTimeout(r.Context(), d.deps.Limits.Timeout)
		defer timed.End()
		ctx := d.deps.Tracer.Extract(timed, r.Header.Get)
		ctx, span := d.deps.Tracer.Start(ctx, r.Method+" "+under, telemetry.Serving)
		defer span.End()
		if !d.cfg.Enabled {
			d.calls.Ended(http.StatusNotFound)
			off("the OPA API is off: set opa.enabled to true in the configuration").write(w)
			return
		}
		out, failed := serve(r.WithContext(ctx))
		if failed != nil {
			d.calls.Ended(failed.Status)
			failed.write(w)
			return
		}
		d.calls.Ended(out.status)
		writeAs(w, cmp.Or(out.mediaType, jsonType), out.status, append(prettied(r, out.body), '\n'))
	})
}

// v1 serves POST /v1/data/PATH.
func (d *data) v1(r *http.Request) (reply, *failure) {
	took := timed()
	at, failed := d.place(r, v1Path)
	if failed != nil {
		return reply{}, failed
	}
	var in struct {
		Input jsontext.Value `json:"input"`
	}
	if err := d.read(r, at, &in); err != nil {
		return reply{}, failureOf(err, "")
	}
	if in.Input.Kind() == 'n' {
		in.Input = nil // as in OPA, null is no input
	}
	took.parsed()
	return d.enveloped(r, at, in.Input, took)
}

// get serves GET /v1/data/PATH?input=JSON.
func (d *data) get(r *http.Request) (reply, *failure) {
	took := timed()
	at, failed := d.place(r, v1Path)
	if failed != nil {
		return reply{}, failed
	}
	var in jsontext.Value
	switch given := r.URL.Query()["input"]; {
	case len(given) > 1:
		return reply{}, failureOf(door.NewCallError(http.StatusBadRequest, "duplicate_member", "want one input", ""),
			"")
	case len(given) == 1:
		if err := door.Decode([]byte(given[0]), &in); err != nil {
			return reply{}, failureOf(err, "")
		}
	}
	took.parsed()
	return d.enveloped(r, at, in, took)
}

// enveloped answers as /v1/data does.
func (d *data) enveloped(r *http.Request, at place, in jsontext.Value, took *timing) (reply, *failure) {
	trace, failed := d.traceOf(r, at)
	if failed != nil {
		return reply{}, failed
	}
	at.trace = trace
	of, raw, failed := d.ask(r, at, in, "/input")
	if failed != nil {
		return reply{}, failed
	}
	answer := responseOf(of, raw)
	if trace != nil {
		answer.Explanation = trace.JSON
	}
	if has(r, "provenance") {
		answer.Provenance = d.provenanceOf(of)
	}
	if in == nil && r.Method == http.MethodPost {
		answer.Warning = &warning{codeUsage, "'input' key missing from the request"}
	}
	if has(r, "metrics") || has(r, "instrument") {
		answer.Metrics = took.metrics(of)
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return reply{}, failureOf(err, "")
	}
	return reply{status: http.StatusOK, body: body}, nil
}

// v0 serves POST /v0/data/PATH.
func (d *data) v0(r *http.Request) (reply, *failure) {
	at, failed := d.place(r, v0Path)
	if failed != nil {
		return reply{}, failed
	}
	return d.bare(r, at)
}

// byDefault serves POST /.
func (d *data) byDefault(r *http.Request) (reply, *failure) {
	if d.cfg.DefaultDecision == "" {
		return reply{}, off("there is no default decision: set opa.default_decision in the configuration")
	}
	at, ok := d.placeOf(strings.Split(d.cfg.DefaultDecision, "/"))
	if !ok {
		return reply{}, undefined("no entrypoint has the path of opa.default_decision")
	}
	return d.bare(r, at)
}

// bare answers a call whose body is the input with the value alone.
func (d *data) bare(r *http.Request, at place) (reply, *failure) {
	in := jsontext.Value("null") // as in OPA, the input of a call without a body is null
	if err := d.read(r, at, &in); err != nil {
		return reply{}, failureOf(err, "")
	}
	_, raw, failed := d.ask(r, at, in, "")
	switch {
	case failed != nil:
		return reply{}, failed
	case raw == nil:
		return reply{}, undefined("the decision is undefined: the token cannot be used, or the result has no such " +
			"member")
	}
	return reply{status: http.StatusOK, body: raw}, nil
}

// ask decides a question. pointer is that of the input in the body. The result is nil where the token cannot be used,
// and where the policy returned no such member.
func (d *data) ask(r *http.Request, at place, input jsontext.Value, pointer string) (authz.Decision, []byte,
	*failure) {
	if at.own != nil {
		return d.askOwn(r, at, input)
	}
	q, failed := d.typedQuery(r, input, pointer)
	if failed != nil {
		return authz.Decision{}, nil, failed
	}
	q.Entrypoint = at.entrypoint
	decided, raw := d.deps.Point.DecideRaw(r.Context(), q)
	if failed := refused(decided, raw); failed != nil {
		return decided, nil, failed
	}
	return decided, member(raw, at.members), nil
}
