package opa

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/engine"
)

// has reports whether a parameter of the query is set as OPA reads it: with the value true, or without any.
func has(r *http.Request, name string) bool {
	if r.URL.RawQuery == "" {
		return false
	}
	given := r.URL.Query()[name]
	return len(given) == 1 && given[0] == "" ||
		slices.ContainsFunc(given, func(v string) bool { return strings.EqualFold(v, "true") })
}

// prettied is a body as a call wants it: pretty makes it indented.
func prettied(r *http.Request, body []byte) []byte {
	var out bytes.Buffer
	if !has(r, "pretty") || json.Indent(&out, body, "", "  ") != nil {
		return body
	}
	return out.Bytes()
}

// traceOf is the explanation that a call asks for, or nil.
func (d *data) traceOf(r *http.Request, at place) (*engine.Trace, *failure) {
	if r.URL.RawQuery == "" {
		return nil, nil
	}
	var mode string
	for _, v := range r.URL.Query()["explain"] {
		switch v {
		case "notes", "fails", "full", "debug":
			mode = v
		}
		if mode != "" {
			break
		}
	}
	var why string
	switch {
	case mode == "":
		return nil, nil
	case at.own == nil, d.cfg.IntrospectToken:
		why = "explain would show the facts about the token"
	case !d.cfg.Policies:
		why = "explain shows policies and data, and opa.policies does not allow it"
	default:
		return &engine.Trace{Mode: mode, Pretty: has(r, "pretty")}, nil
	}
	return nil, failureOf(door.NewCallError(http.StatusBadRequest, "not_explained",
		why+": ask without it, and then sidecar explain DECISION_ID", ""), "")
}

// timing is how long the parts of a call took.
type timing struct {
	begun time.Time
	parse time.Duration
}

// timed begins the timing of a call.
func timed() *timing { return &timing{begun: time.Now()} }

// parsed ends the reading of the input.
func (t *timing) parsed() { t.parse = time.Since(t.begun) }

// metrics are the timings of a call that are known, by the names of OPA, in nanoseconds.
func (t *timing) metrics(d authz.Decision) map[string]int64 {
	out := map[string]int64{
		"timer_rego_input_parse_ns": t.parse.Nanoseconds(),
		"timer_server_handler_ns":   time.Since(t.begun).Nanoseconds(),
	}
	if d.Eval > 0 {
		out["timer_rego_query_eval_ns"] = d.Eval.Nanoseconds()
	}
	return out
}

// provenance says which program and which policies answered.
type provenance struct {
	Version string              `json:"version"`
	Bundles map[string]revision `json:"bundles,omitempty"`
}

type revision struct {
	Revision string `json:"revision"`
}

// provenanceOf is that of a decision. It names no bundles when others decide by now.
func (d *data) provenanceOf(of authz.Decision) *provenance {
	now := d.deps.Status()
	out := &provenance{Version: now.Version, Bundles: map[string]revision{}}
	if now.Policy.Digest == of.Policy.Digest {
		for name, r := range now.Policy.Bundles {
			out.Bundles[name] = revision{r}
		}
	}
	return out
}
