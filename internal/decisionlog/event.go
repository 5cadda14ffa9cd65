package decisionlog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// Event is one event as it was logged, for those who read a decision log.
type Event struct {
	DecisionID string    `json:"decision_id"`
	Time       time.Time `json:"timestamp"`
	// Path is the entrypoint without "data": "authz/decision".
	Path    string                     `json:"path"`
	Bundles map[string]authz.BundleRef `json:"bundles"`
	// Input is the document and Result what the policy returned, as they were logged: nil when the event has none.
	Input  jsontext.Value `json:"input"`
	Result jsontext.Value `json:"result"`
	// Erased and Masked are JSON pointers, below the event, to what was left out of Input and Result or replaced.
	Erased      []string   `json:"erased"`
	Masked      []string   `json:"masked"`
	Error       EventError `json:"error"`
	RequestedBy string     `json:"requested_by"`
	Facts       Facts      `json:"custom"`

	// Line is where the event stands in its file, from 1; 0 when that is not known.
	Line int `json:"-"`
}

// EventError is why no policy decided.
type EventError struct {
	Message string `json:"message"`
}

// Facts are those that only the sidecar logs.
type Facts struct {
	// Kind is the name of an authz.Kind; empty in the event of another program.
	Kind   string `json:"kind"`
	Status int    `json:"status"`
	// Type is that of Record.
	Type            string        `json:"type"`
	Reasons         []EventReason `json:"reasons"`
	Unauthenticated string        `json:"unauthenticated"`
	PolicyDigest    string        `json:"policy_digest"`
	Introspection   Introspection `json:"introspection"`
	// UpstreamTokenID is the jti of the token for the upstream, which the event does not hold.
	UpstreamTokenID string `json:"upstream_token_id"`
	// MaskError, InputError and ResultError say why the event lacks Input or Result.
	MaskError   string `json:"mask_error"`
	InputError  string `json:"input_error"`
	ResultError string `json:"result_error"`
}

// EventReason is an authz.Reason as it was logged.
type EventReason struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// ParseEvent reads one event, a JSON object with the members decision_id and timestamp.
func ParseEvent(b []byte) (*Event, error) {
	if jsontext.Value(b).Kind() != '{' {
		return nil, errors.New("it is no JSON object")
	}
	var e Event
	if err := json.Unmarshal(b, &e); err != nil {
		return nil, fmt.Errorf("it cannot be read: %v", err)
	}
	if e.DecisionID == "" || e.Time.IsZero() { // lines of other logs may have one of them
		return nil, errors.New("it has no decision_id or no timestamp")
	}
	return &e, nil
}

// Document returns the document that the policy read: exactly, unless Missing names parts of it. The error says why
// there is none.
func (e *Event) Document() (*input.Document, error) {
	why := ""
	switch {
	case e.Input != nil:
		doc, err := input.Parse(e.Input)
		if missing := e.Missing(); err != nil && len(missing) > 0 {
			return nil, fmt.Errorf("%w; the decision log was told to leave out %s", err, strings.Join(missing, ", "))
		}
		return doc, err
	case e.Facts.MaskError != "":
		why = ": " + e.Facts.MaskError
	case e.Facts.InputError != "":
		why = ": " + e.Facts.InputError
	case slices.Contains(e.Erased, "/input"):
		why = ": a mask erased it"
	}
	return nil, fmt.Errorf("read event: it has no input%s", why)
}

// Missing returns JSON pointers to what of the document was left out or replaced when the event was written, sorted:
// "/input/token/subject/username".
func (e *Event) Missing() []string {
	var out []string
	for _, p := range slices.Concat(e.Erased, e.Masked) {
		if p == "/input" || strings.HasPrefix(p, "/input/") {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
