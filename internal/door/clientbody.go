package door

import (
	"bytes"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// problem is what the client of a refused request is told (RFC 9457), as the clients for applications write it.
type problem struct {
	Title      string   `json:"title"`
	Status     int      `json:"status"`
	DecisionID string   `json:"decision_id,omitempty"`
	Reasons    []reason `json:"reasons,omitempty"`
}

// reason is what clients are told of an authz.Reason: what else the policy wrote is for programs of the operator.
type reason struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// ClientBody returns the body that a gateway hands to the client of a refused request, and its media type: the body of
// the decision, or else a problem of RFC 9457 with the decision_id and the reasons of the decision.
func ClientBody(d *authz.Decision) (mediaType string, body []byte) {
	if d.Body != nil {
		return "application/json", d.Body
	}
	p := problem{Title: http.StatusText(d.Status), Status: d.Status, DecisionID: d.ID}
	for _, r := range d.Reasons {
		p.Reasons = append(p.Reasons, reason{r.Code, r.Message})
	}
	body, err := json.Marshal(p)
	if err != nil { // a reason that is not UTF-8
		body = []byte("{}")
	}
	return "application/problem+json", append(body, '\n')
}

// Unhonoured reports whether an allowed request must be refused by a door whose callers honour no obligations, as
// gateways do: an allow holds when all of its obligations are honoured (AuthZEN Profile for Obligations, draft 1).
func Unhonoured(d *authz.Decision) bool {
	return d.Kind == authz.Allow && d.Obligations != nil && string(bytes.TrimSpace(d.Obligations)) != "[]"
}
