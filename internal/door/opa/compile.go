package opa

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/engine"
)

// Filters compiles rules into filters. See decision.Point. A filter is nil where there is no answer.
type Filters interface {
	// Filterable reports whether a path of an ordinary package can be compiled.
	Filterable(path []string) bool
	Filter(ctx context.Context, q authz.Query, path []string, o engine.FilterOptions) (authz.Decision, *engine.Filter)
	FilterOwn(ctx context.Context, q decision.CallerQuery, o engine.FilterOptions) (authz.Decision, *engine.Filter)
}

// togetherType is the media type of filters for several targets.
const togetherType = "application/vnd.opa.multitarget+json"

// targets are the media types that clients accept, and what each stands for.
func targets() map[string]engine.FilterTarget {
	return map[string]engine.FilterTarget{
		"application/vnd.opa.ucast.all+json":      {Name: "ucast", Dialect: "all"},
		"application/vnd.opa.ucast.minimal+json":  {Name: "ucast", Dialect: "minimal"},
		"application/vnd.opa.ucast.prisma+json":   {Name: "ucast", Dialect: "prisma"},
		"application/vnd.opa.ucast.linq+json":     {Name: "ucast", Dialect: "linq"},
		"application/vnd.opa.sql.postgresql+json": {Name: "sql", Dialect: "postgresql"},
		"application/vnd.opa.sql.mysql+json":      {Name: "sql", Dialect: "mysql"},
		"application/vnd.opa.sql.sqlserver+json":  {Name: "sql", Dialect: "sqlserver"},
		"application/vnd.opa.sql.sqlite+json":     {Name: "sql", Dialect: "sqlite"},
	}
}

// compileCall is the body of calls for filters.
type compileCall struct {
	Input    jsontext.Value `json:"input"`
	Query    string         `json:"query"`
	Unknowns *[]string      `json:"unknowns"`
	Options  struct {
		DisableInlining          []string       `json:"disableInlining"`
		NondeterministicBuiltins bool           `json:"nondeterministicBuiltins"`
		Mappings                 map[string]any `json:"targetSQLTableMappings"`
		TargetDialects           []string       `json:"targetDialects"`
		MaskRule                 string         `json:"maskRule"`
	} `json:"options"`
}

// options are those of c, but for the targets.
func (c *compileCall) options() engine.FilterOptions {
	o := engine.FilterOptions{DisableInlining: c.Options.DisableInlining, MaskRule: c.Options.MaskRule,
		Nondeterministic: c.Options.NondeterministicBuiltins, Mappings: c.Options.Mappings}
	if o.HasUnknowns = c.Unknowns != nil; o.HasUnknowns {
		o.Unknowns = *c.Unknowns
	}
	return o
}

// compileAnswer is OPA's answer of /v1/compile. Without a result nothing meets the condition.
type compileAnswer struct {
	DecisionID string          `json:"decision_id"`
	Result     json.RawMessage `json:"result,omitempty"`
	Hints      json.RawMessage `json:"hints,omitempty"`
}

// compile serves POST /v1/compile: what partial evaluation leaves of a query.
func (d *data) compile(r *http.Request) (reply, *failure) {
	var in compileCall
	if err := d.read(r, anyQuery, &in); err != nil {
		return reply{}, failureOf(err, "")
	}
	if strings.TrimSpace(in.Query) == "" {
		return reply{}, parameter("missing required 'query' value")
	}
	o := in.options()
	o.Query, o.Mappings, o.MaskRule = in.Query, nil, ""
	at := place{own: engine.RuleOfQuery(in.Query)}
	if at.own != nil && d.deps.Point.Filterable(at.own) {
		at = place{members: at.own}
	}
	return d.filtered(r, at, in.Input, o)
}

// filter serves POST /v1/compile/PATH: a rule as a filter, in the format that the client accepts.
func (d *data) filter(r *http.Request) (reply, *failure) {
	at, failed := d.filterPlace(r)
	if failed != nil {
		return reply{}, failed
	}
	var in compileCall
	if err := d.read(r, at, &in); err != nil {
		return reply{}, failureOf(err, "")
	}
	o := in.options()
	o.Nondeterministic = true
	accepted := r.Header.Values("Accept")
	if o.Targets, o.Together, failed = targeted(accepted, in.Options.TargetDialects); failed != nil {
		return reply{}, failed
	}
	out, failed := d.filtered(r, at, in.Input, o)
	if failed != nil {
		return reply{}, failed
	}
	out.mediaType = accepted[0]
	return out, nil
}

// filterPlace is that of the path of a call: ordinary packages have it as members, others as own.
func (d *data) filterPlace(r *http.Request) (place, *failure) {
	if segments, ok := segmentsOf(r.URL.EscapedPath(), filterPath); ok {
		if literal(segments) && d.deps.Point.Filterable(segments) {
			return place{members: segments}, nil
		}
		if at, known := d.placeOf(segments); known && at.own != nil {
			return at, nil
		}
	}
	return place{}, undefined("no filter has this path: want that of an entrypoint, of a rule whose metadata has " +
		"compile.unknowns, or of one below opa.packages")
}

// targeted are the targets of the media type that a client accepts.
func targeted(accepted, dialects []string) (of []engine.FilterTarget, together bool, failed *failure) {
	all := targets()
	switch {
	case len(accepted) == 0 || accepted[0] == "":
		return nil, false, parameter("Accept header: missing required header")
	case len(accepted) > 1 || strings.Contains(accepted[0], ","):
		return nil, false, parameter("Accept header: multiple headers not supported")
	case accepted[0] != togetherType:
		t, ok := all[accepted[0]]
		if !ok {
			return nil, false, parameter("Accept header: unsupported header: " + accepted[0])
		}
		return []engine.FilterTarget{t}, false, nil
	case len(dialects) == 0:
		return nil, false, parameter("options.targetDialects: want one at least, such as sql+postgresql")
	}
	for i, text := range dialects {
		name, dialect, _ := strings.Cut(text, "+")
		t := engine.FilterTarget{Name: name, Dialect: dialect}
		if !slices.Contains(slices.Collect(maps.Values(all)), t) {
			return nil, false, parameter(fmt.Sprintf("options.targetDialects[%d]: want one such as sql+postgresql or "+
				"ucast+prisma", i))
		}
		of = append(of, t)
	}
	return of, true, nil
}

func parameter(message string) *failure {
	return &failure{Status: http.StatusBadRequest, Code: codeInvalid, Message: message}
}

// filtered compiles what is at a place into a filter.
func (d *data) filtered(r *http.Request, at place, input jsontext.Value, o engine.FilterOptions) (reply, *failure) {
	var decided authz.Decision
	var f *engine.Filter
	if at.members == nil {
		q, failed := d.callerQuery(r, at.own, input)
		if failed != nil {
			return reply{}, failed
		}
		decided, f = d.deps.Point.FilterOwn(r.Context(), q, o)
	} else {
		q, failed := d.typedQuery(r, input, "/input")
		if failed != nil {
			return reply{}, failed
		}
		q.Entrypoint = strings.Join(at.members, "/")
		decided, f = d.deps.Point.Filter(r.Context(), q, at.members, o)
	}
	if f == nil {
		return reply{}, unfiltered(decided)
	}
	body, err := json.Marshal(compileAnswer{decided.ID, f.Result, f.Hints})
	if err != nil {
		return reply{}, failureOf(err, "")
	}
	return reply{status: http.StatusOK, body: body}, nil
}

// typedQuery reads an input that is the body of the native call. pointer is that of the input in the body.
func (d *data) typedQuery(r *http.Request, input jsontext.Value, pointer string) (authz.Query, *failure) {
	if input.Kind() != '{' {
		return authz.Query{}, failureOf(door.NewCallError(http.StatusBadRequest, "wrong_type",
			`want an object such as {"request": {"method": "GET", "url": "/orders/42"}}`, pointer), "")
	}
	q, err := d.deps.Parse(input)
	if err != nil {
		return authz.Query{}, failureOf(err, pointer)
	}
	q.Caller = r.RemoteAddr
	return q, nil
}

// unfiltered is why a decision came without an answer. That a token cannot be used is an error here: clients may take
// an answer without a result for a filter that everything passes.
func unfiltered(d authz.Decision) *failure {
	if e, ok := errors.AsType[*engine.QueryError](d.Cause); ok {
		return &failure{Status: http.StatusBadRequest, Code: e.Code, Message: e.Message, Errors: e.Errors}
	}
	if d.Kind == authz.Unauthenticated {
		out := &failure{Status: http.StatusForbidden, Code: codeUnauthorized, Message: "the token cannot be used"}
		if len(d.Reasons) > 0 {
			out.Message += ": " + d.Reasons[0].Message
		}
		return out
	}
	if out := refused(d, nil); out != nil {
		return out
	}
	return &failure{Status: http.StatusInternalServerError, Code: codeInternal, Message: "the sidecar failed"}
}
