package sidecarclient

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
)

// Refusal is why a request may not pass, and what its client gets.
type Refusal struct {
	// Status and Headers are for the answer to the client.
	Status  int
	Headers http.Header
	// Decision is that of the sidecar; nil when there is none.
	Decision *Decision
	// Err is why there is no decision, or which obligation was not honoured; nil for a plain refusal. It is for
	// operators: do not send it to the client.
	Err error
}

// retryAfter is in seconds, for a sidecar that says nothing else.
const retryAfter = "1"

func noDecision(err error) Refusal {
	var wrong *CallError
	if errors.As(err, &wrong) {
		return Refusal{Status: http.StatusInternalServerError, Err: err}
	}
	after := retryAfter
	var down *UnavailableError
	if errors.As(err, &down) && down.RetryAfter != "" {
		after = down.RetryAfter
	}
	return Refusal{Status: http.StatusServiceUnavailable, Headers: http.Header{"Retry-After": {after}}, Err: err}
}

// reason is what clients are told of a Reason: what else the policy wrote is for this program.
type reason struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Write answers with a problem of RFC 9457 that has the decision_id of the decision, and code and message of its
// reasons, if there is one.
func (f Refusal) Write(w http.ResponseWriter) {
	problem := struct {
		Title      string   `json:"title"`
		Status     int      `json:"status"`
		DecisionID string   `json:"decision_id,omitempty"`
		Reasons    []reason `json:"reasons,omitempty"`
	}{Title: http.StatusText(f.Status), Status: f.Status}
	if f.Decision != nil {
		problem.DecisionID = f.Decision.ID
		for _, r := range f.Decision.Reasons {
			problem.Reasons = append(problem.Reasons, reason{r.Code, r.Message})
		}
	}
	body, err := json.Marshal(problem)
	if err != nil {
		panic(err) // texts and a number
	}
	maps.Copy(w.Header(), f.Headers.Clone())
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(f.Status)
	_, _ = w.Write(append(body, '\n')) // a client that left needs no answer
}
