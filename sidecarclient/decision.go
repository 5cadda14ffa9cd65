package sidecarclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/authz-sidecar/sidecar/sidecarclient/internal/strictjson"
)

// Kind says how a decision ended.
type Kind string

// The kinds, with the status that the client gets.
const (
	// KindAllow lets the request pass.
	KindAllow Kind = "allow"
	// KindDeny is the policy's refusal: 403 unless the policy says otherwise.
	KindDeny Kind = "deny"
	// KindUnauthenticated is a request without a usable token: 401.
	KindUnauthenticated Kind = "unauthenticated"
	// KindMalformed is a request or credential that can be read in several ways, or in none: 400.
	KindMalformed Kind = "malformed"
	// KindUnavailable is an authorization server that does not answer: 503; or too many unknown tokens: 429.
	KindUnavailable Kind = "unavailable"
	// KindMisconfigured is for the operator: 503 or 500.
	KindMisconfigured Kind = "misconfigured"
	// KindInternal is a bug of the sidecar: 500.
	KindInternal Kind = "internal"
)

func (k Kind) known() bool {
	switch k {
	case KindAllow, KindDeny, KindUnauthenticated, KindMalformed, KindUnavailable, KindMisconfigured, KindInternal:
		return true
	}
	return false
}

// Decision is the answer of the sidecar. Its JSON is that answer.
type Decision struct {
	// ID is a ULID: the same in the decision log.
	ID string `json:"decision_id"`
	// Allow is true only when Kind is KindAllow and Status is 200. It holds when all Obligations are honoured.
	Allow bool `json:"allow"`
	Kind  Kind `json:"kind"`
	// Status is what the client gets: 200 for an allow, otherwise 400 to 599.
	Status  int      `json:"status"`
	Reasons []Reason `json:"reasons"`
	// Headers go into the answer to the client, whatever was decided.
	Headers http.Header `json:"headers"`
	// UpstreamHeaders are for the allowed request. They replace what the client sent under these names, also where
	// there is no value or an empty one.
	UpstreamHeaders http.Header `json:"upstream_headers"`
	// Context is what the policy passes on: a JSON object.
	Context json.RawMessage `json:"context"`
	// Obligations are those of Context.
	Obligations []Obligation `json:"-"`
	Policy      Policy       `json:"policy"`
}

// MarshalJSON returns the answer of the sidecar, with every member.
func (d Decision) MarshalJSON() ([]byte, error) {
	type plain Decision
	out := plain(d)
	if out.Reasons == nil {
		out.Reasons = []Reason{}
	}
	if out.Headers == nil {
		out.Headers = http.Header{}
	}
	if out.UpstreamHeaders == nil {
		out.UpstreamHeaders = http.Header{}
	}
	if out.Context == nil {
		out.Context = json.RawMessage("{}")
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads an answer of the sidecar. It is an error when a member is missing, has the wrong type or
// contradicts another.
func (d *Decision) UnmarshalJSON(b []byte) error {
	if err := strictjson.Check(b); err != nil {
		return err
	}
	read, err := parseDecision(b)
	if err == nil {
		*d = read
	}
	return err
}

// Reason is why a request was refused: Code for programs, Message for people.
type Reason struct {
	Code, Message string
	// Object is the whole reason, with what else the policy wrote; nil in a reason that is just Code and Message.
	Object json.RawMessage
}

// MarshalJSON returns Object, or an object of Code and Message.
func (r Reason) MarshalJSON() ([]byte, error) {
	if r.Object != nil {
		return r.Object, nil
	}
	return json.Marshal(map[string]string{"code": r.Code, "message": r.Message})
}

// Obligation is something to be done for a decision to hold: OpenID AuthZEN Profile for Obligations, draft 1.
type Obligation struct {
	// Type says what is to be done.
	Type string
	// ID tells it from the others of the decision; it may be empty.
	ID string
	// Object is the whole obligation.
	Object json.RawMessage
}

// Policy names what decided.
type Policy struct {
	// Path is the entrypoint, such as authz/decision; Revision and Digest are those of the policies.
	Path     string `json:"path"`
	Revision string `json:"revision"`
	Digest   string `json:"digest"`
}

// check reports a contradiction.
func (d Decision) check() error {
	switch {
	case d.ID == "":
		return errors.New("decision_id is empty")
	case !d.Kind.known():
		return fmt.Errorf("kind %q is not known", string(d.Kind))
	case d.Allow != (d.Kind == KindAllow):
		return fmt.Errorf("allow is %v, and kind is %s", d.Allow, d.Kind)
	case d.Allow != (d.Status == http.StatusOK):
		return fmt.Errorf("allow is %v, and status is %d", d.Allow, d.Status)
	case !d.Allow && (d.Status < 400 || d.Status > 599):
		return fmt.Errorf("status %d does not refuse", d.Status)
	}
	return nil
}
