package opa

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
)

// The codes of errors, those of OPA (v1/server/types).
const (
	codeInternal     = "internal_error"
	codeInvalid      = "invalid_parameter"
	codeNotFound     = "resource_not_found"
	codeUnauthorized = "unauthorized"
	codeUndefined    = "undefined_document"
	codeUsage        = "api_usage_warning"
	codeOperation    = "invalid_operation"
)

// failure is an answer without a result, in OPA's shape of errors.
type failure struct {
	Status  int            `json:"-"`
	Headers []authz.Header `json:"-"`
	Code    string         `json:"code"`
	Message string         `json:"message"`
	// Errors is a JSON array of errors with their places.
	Errors json.RawMessage `json:"errors,omitempty"`
}

// off is the answer of what is not configured.
func off(message string) *failure {
	return &failure{Status: http.StatusNotFound, Code: codeNotFound, Message: message}
}

func undefined(message string) *failure {
	return &failure{Status: http.StatusNotFound, Code: codeUndefined, Message: message}
}

// failureOf says what is wrong with a call. at is the JSON pointer in the body of what was read.
func failureOf(err error, at string) *failure {
	e, ok := errors.AsType[*door.CallError](err)
	if !ok {
		return &failure{Status: http.StatusInternalServerError, Code: codeInternal, Message: "the sidecar failed"}
	}
	said := *e
	said.Pointer = at + e.Pointer
	return &failure{Status: e.Status, Code: codeInvalid, Message: said.Error()}
}

// refused is why a decision has no result, or nil: then it has one, or it is undefined because the token cannot be
// used. An outage is an error, so that no client takes it for a denial.
func refused(d authz.Decision, raw []byte) *failure {
	out := &failure{Status: http.StatusInternalServerError, Code: codeInternal, Message: "the policy failed"}
	if len(d.Reasons) > 0 && d.Cause != nil {
		out.Message = door.Told(&d)
	}
	switch {
	case (d.Kind == authz.Allow || d.Kind == authz.Deny) && raw != nil, d.Kind == authz.Unauthenticated && raw == nil:
		return nil
	case d.Kind == authz.Malformed:
		out.Status, out.Code = http.StatusBadRequest, codeInvalid
	case d.Kind == authz.Unavailable:
		out.Status, out.Headers = http.StatusServiceUnavailable, d.Headers
	}
	return out
}

func (f *failure) write(w http.ResponseWriter) {
	for _, h := range f.Headers {
		for _, v := range h.Values {
			w.Header().Add(h.Name, v)
		}
	}
	body, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		body = []byte("{}")
	}
	write(w, f.Status, append(body, '\n'))
}

// response is OPA's answer of /v1/data. Without a result it is undefined.
type response struct {
	DecisionID  string           `json:"decision_id"`
	Provenance  *provenance      `json:"provenance,omitempty"`
	Explanation json.RawMessage  `json:"explanation,omitempty"`
	Metrics     map[string]int64 `json:"metrics,omitempty"`
	Result      json.RawMessage  `json:"result,omitempty"`
	Warning     *warning         `json:"warning,omitempty"`
}

// warning is why there is no result, or none that depends on an input.
type warning struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// responseOf is the answer that a decision and its result are.
func responseOf(d authz.Decision, raw []byte) response {
	out := response{DecisionID: d.ID, Result: raw}
	if raw == nil && len(d.Reasons) > 0 {
		out.Warning = &warning{d.Reasons[0].Code, d.Reasons[0].Message}
	}
	return out
}

// refuse answers a call that the listener does not accept.
func refuse(w http.ResponseWriter, r *http.Request, e *door.CallError) {
	f := failureOf(e, "")
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		f.Code = codeUnauthorized
	case http.StatusNotFound:
		f.Code = codeNotFound
	case http.StatusMethodNotAllowed:
		f.Code = codeOperation
		switch r.Method {
		case http.MethodPut, http.MethodPatch, http.MethodDelete:
			f.Message = "policies and data come from the files and bundles of the configuration, and are not written here"
		}
	}
	f.write(w)
}

const jsonType = "application/json"

func write(w http.ResponseWriter, status int, body []byte) { writeAs(w, jsonType, status, body) }

func writeAs(w http.ResponseWriter, mediaType string, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails only when the caller is gone
}
