package forwardauth

import (
	"net/http"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/metrics"
)

// outcome is why a check was not decided: a value of a metric's label.
type outcome string

// The outcomes.
const (
	noKey         outcome = "no_key"
	misconfigured outcome = "misconfigured_gateway"
	unreadable    outcome = "unreadable"
	tooLarge      outcome = "too_large"
	failed        outcome = "failed"
	// unfulfilled is an allow that no gateway can carry out.
	unfulfilled outcome = "unfulfilled"
)

func outcomes() []outcome {
	return []outcome{noKey, misconfigured, unreadable, tooLarge, failed, unfulfilled}
}

// decision is what the client of the request is told: fixed text, as the cause is for operators.
func (o outcome) decision() *authz.Decision {
	d := &authz.Decision{Kind: authz.Misconfigured, Status: http.StatusInternalServerError}
	reason := authz.Reason{Code: "misconfigured", Message: "the gateway or the sidecar is misconfigured"}
	switch o {
	case unreadable:
		d.Kind, d.Status = authz.Malformed, http.StatusBadRequest
		reason = authz.Reason{Code: "invalid_request", Message: "the request cannot be checked"}
	case tooLarge:
		d.Kind, d.Status = authz.Malformed, http.StatusRequestEntityTooLarge
		reason = authz.Reason{Code: "too_large", Message: "the request is too large to be checked"}
	case failed:
		d.Kind = authz.Internal
		reason = authz.Reason{Code: "internal_error", Message: "the sidecar failed"}
	case noKey, misconfigured, unfulfilled:
	}
	d.Reasons = []authz.Reason{reason}
	return d
}

// Outcomes counts checks.
type Outcomes struct{ of *metrics.Counters }

// NewOutcomes shows the counts at r; nil counts for itself.
func NewOutcomes(r metrics.Registerer) *Outcomes {
	var all []string
	for _, k := range authz.Kinds {
		all = append(all, k.String())
	}
	for _, o := range outcomes() {
		all = append(all, string(o))
	}
	return &Outcomes{metrics.NewCounters(r, "sidecar_door_forwardauth_checks_total",
		"Checks of gateways, by the kind of the decision, or by why there is none.", "outcome", all...)}
}
