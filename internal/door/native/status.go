package native

import (
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"
)

// Status is what the sidecar says of itself: GET /v1/status, and GET /readyz for a machine.
type Status struct {
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	// Ready is false before the first policy serves, while a canary does not come back, and from the moment the sidecar begins
	// to stop.
	Ready       bool              `json:"ready"`
	Policy      PolicyStatus      `json:"policy"`
	Issuers     []IssuerStatus    `json:"issuers"`
	Events      []EventStatus     `json:"events,omitempty"`
	DecisionLog DecisionLogStatus `json:"decision_log"`
}

// PolicyStatus is which policy decides, and what is wrong with the one on disk.
type PolicyStatus struct {
	// Healthy is false while what is on disk does not load or keeps changing, in which case the last policy that did load
	// goes on deciding, and while the policy that decides gives no verdict for many requests.
	Healthy     bool              `json:"healthy"`
	Revision    string            `json:"revision"`
	Digest      string            `json:"digest"`
	Bundles     map[string]string `json:"bundles"`
	Entrypoints []string          `json:"entrypoints"`
	Activated   time.Time         `json:"activated"`
	// FailedAt tells when the newest load failed, when it did, WaitingSince for how long a change on disk has been waited
	// for, when that is long, and Errors all reasons why it is not healthy.
	FailedAt     time.Time       `json:"failed_at,omitzero"`
	WaitingSince time.Time       `json:"waiting_since,omitzero"`
	Errors       []PolicyProblem `json:"errors,omitempty"`
	// Evaluations is how many there were since it was activated, Misconfigured how many of them gave no verdict.
	Evaluations   uint64 `json:"evaluations_since_activation"`
	Misconfigured uint64 `json:"misconfigured_since_activation"`
	// RunawayCalls is how many calls of builtins go on now although their evaluation is over, RunawayCallsTotal how many did
	// since the start.
	RunawayCalls      int64 `json:"runaway_calls"`
	RunawayCallsTotal int64 `json:"runaway_calls_total"`
}

// PolicyProblem is one thing wrong with the policies on disk. Text is the line that "sidecar check" prints.
type PolicyProblem struct {
	File    string `json:"file"`
	Row     int    `json:"row,omitzero"`
	Col     int    `json:"col,omitzero"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Text    string `json:"text"`
}

// IssuerStatus is the state of one authorization server's cache.
type IssuerStatus struct {
	Name           string `json:"name"`
	Issuer         string `json:"issuer,omitzero"`
	CachedActive   int    `json:"cached_active"`
	CachedBytes    int64  `json:"cached_bytes"`
	CachedInactive int    `json:"cached_inactive"`
	// Canary is why the sidecar's own token is not active at this server; while it is, the sidecar is not ready.
	Canary string `json:"canary,omitzero"`
}

// EventStatus is the state of one way in which word comes that tokens of an issuer are over.
type EventStatus struct {
	Issuer    string    `json:"issuer"`
	Kind      string    `json:"kind"`
	LastEvent time.Time `json:"last_event,omitzero"`
	Refused   int64     `json:"refused"`
	Errors    int64     `json:"errors"`
	// Stream is there for shared_signals only.
	Stream *StreamStatus `json:"stream,omitempty"`
}

// StreamStatus is the state of a stream of security events.
type StreamStatus struct {
	// State is up, down, or unwatched when nothing would tell.
	State    string    `json:"state"`
	LastOK   time.Time `json:"stream_last_ok,omitzero"`
	Verified time.Time `json:"verified,omitzero"`
	ID       string    `json:"id,omitzero"`
	// Status is what the transmitter says: enabled, paused or disabled.
	Status  string `json:"status,omitzero"`
	Problem string `json:"problem,omitzero"`
}

// DecisionLogStatus is the state of the decision log.
type DecisionLogStatus struct {
	Enabled bool `json:"enabled"`
	// Queued events wait to be written; QueuedBytes is their memory, estimated.
	Queued      int   `json:"queued"`
	QueuedBytes int64 `json:"queued_bytes"`
	// Written and Dropped count events since the start.
	Written uint64 `json:"written"`
	Dropped uint64 `json:"dropped"`
	// LastError is why the log could not be written or masked last, even when it can be now.
	LastError   string       `json:"last_error,omitzero"`
	LastErrorAt time.Time    `json:"last_error_at,omitzero"`
	Sinks       []SinkStatus `json:"sinks,omitempty"`
}

// SinkStatus is the state of one place that decisions are written to.
type SinkStatus struct {
	// Kind is file or stdout.
	Kind    string `json:"kind"`
	Healthy bool   `json:"healthy"`
	// Error is why it cannot be written, since Since.
	Error string    `json:"error,omitzero"`
	Since time.Time `json:"since,omitzero"`
}

func addStatus(e *echo.Echo, status func() Status) {
	get(e, "/v1/status", func(c echo.Context) error { return writeJSON(c, http.StatusOK, status()) })
	// The process answers: that is all that is alive about it.
	get(e, "/livez", func(c echo.Context) error { return writeJSON(c, http.StatusOK, map[string]bool{"alive": true}) })
	get(e, "/readyz", func(c echo.Context) error {
		s := status()
		code := http.StatusOK
		if !s.Ready {
			code = http.StatusServiceUnavailable
		}
		r := readiness{Ready: s.Ready, Policy: policyReadiness{Healthy: s.Policy.Healthy, Revision: s.Policy.Revision}}
		if slices.ContainsFunc(s.Issuers, func(i IssuerStatus) bool { return i.Canary != "" }) {
			r.Because = "canary"
		}
		return writeJSON(c, code, r)
	})
}

// get serves GET and HEAD, which balancers like to probe with.
func get(e *echo.Echo, path string, h echo.HandlerFunc) {
	e.GET(path, h)
	e.HEAD(path, h)
}

// readiness is public: a probe asks for no caller key. What is wrong with policies, and in which files, and
// what a server says of a canary, stands in the Status.
type readiness struct {
	Ready bool `json:"ready"`
	// Because is "canary" while one does not come back, and absent otherwise.
	Because string          `json:"because,omitzero"`
	Policy  policyReadiness `json:"policy"`
}

type policyReadiness struct {
	Healthy  bool   `json:"healthy"`
	Revision string `json:"revision"`
}

func writeJSON(c echo.Context, code int, v any) error {
	b, err := json.Marshal(v, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Blob(code, "application/json", append(b, '\n'))
}
