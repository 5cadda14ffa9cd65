package opa

import (
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/jsonbound"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// askOwn asks a package whose input is the caller's own. The result is nil where it is undefined.
func (d *data) askOwn(r *http.Request, at place, in jsontext.Value) (authz.Decision, []byte, *failure) {
	q, failed := d.callerQuery(r, at.own, in)
	if failed != nil {
		return authz.Decision{}, nil, failed
	}
	q.Trace = at.trace
	decided, raw := d.deps.Point.Ask(r.Context(), q)
	if decided.Kind != authz.Allow && decided.Kind != authz.Deny {
		return decided, nil, refused(decided, nil)
	}
	return decided, raw, nil
}

// callerQuery is a question with an input of the caller's own.
func (d *data) callerQuery(r *http.Request, path []string, in jsontext.Value) (decision.CallerQuery, *failure) {
	if f := jsonbound.Check(in); f != nil {
		return decision.CallerQuery{}, failureOf(door.NewCallError(http.StatusBadRequest, "out_of_bounds",
			"the input "+f.Cause, string(f.At)), "")
	}
	q := decision.CallerQuery{Path: path, Input: in, Caller: r.RemoteAddr}
	if d.cfg.IntrospectToken && in.Kind() == '{' {
		token, failed := tokenOf(in)
		if failed != nil {
			return decision.CallerQuery{}, failed
		}
		q.Token = token
	}
	return q, nil
}

// tokenOf is the token in an input. Facts in its place are refused: only the authorization server tells them.
func tokenOf(in jsontext.Value) (secret.Text, *failure) {
	var o struct {
		Token jsontext.Value `json:"token"`
	}
	var text string
	if err := json.Unmarshal(in, &o); err != nil {
		return secret.Text{}, failureOf(door.NewCallError(http.StatusBadRequest, "bad_json",
			"the input cannot be read", ""), "/input")
	}
	if o.Token == nil || o.Token.Kind() == 'n' {
		return secret.Text{}, nil
	}
	if err := json.Unmarshal(o.Token, &text); err != nil {
		return secret.Text{}, failureOf(door.NewCallError(http.StatusBadRequest, "wrong_type",
			"want a token as text: opa.introspect_token has it introspected", "/token"), "/input")
	}
	return secret.New(text), nil
}
