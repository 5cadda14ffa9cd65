package opa

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// anyQuery is a place of the packages whose input is the caller's own, for reading the body of a query.
var anyQuery = place{own: []string{}}

// query serves POST /v1/query.
func (d *data) query(r *http.Request) (reply, *failure) {
	var in struct {
		Query string         `json:"query"`
		Input jsontext.Value `json:"input"`
	}
	if err := d.read(r, anyQuery, &in); err != nil {
		return reply{}, failureOf(err, "")
	}
	return d.queried(r, in.Query, in.Input)
}

// queryGet serves GET /v1/query?q=QUERY, which has no input.
func (d *data) queryGet(r *http.Request) (reply, *failure) {
	switch given := r.URL.Query()["q"]; len(given) {
	case 0:
		return reply{}, parameter("missing parameter 'q'")
	case 1:
		return d.queried(r, given[0], nil)
	}
	return reply{}, parameter("want one parameter 'q'")
}

// queried answers a query of Rego by the bindings that meet it.
func (d *data) queried(r *http.Request, query string, input jsontext.Value) (reply, *failure) {
	if !d.cfg.Query {
		return reply{}, off("queries are off: set opa.query to true in the configuration")
	}
	if strings.TrimSpace(query) == "" {
		return reply{}, parameter("missing required 'query' value")
	}
	q, failed := d.callerQuery(r, nil, input)
	if failed != nil {
		return reply{}, failed
	}
	decided, rows := d.deps.Point.Query(r.Context(), q, query)
	if decided.Kind != authz.Allow && decided.Kind != authz.Deny {
		return reply{}, unfiltered(decided)
	}
	body, err := json.Marshal(struct {
		DecisionID string          `json:"decision_id"`
		Result     json.RawMessage `json:"result,omitempty"`
	}{decided.ID, rows})
	if err != nil {
		return reply{}, failureOf(err, "")
	}
	return reply{status: http.StatusOK, body: body}, nil
}
