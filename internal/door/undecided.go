package door

import (
	"net/http"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/metrics"
)

// Undecided is why a check of a gateway has no decision: a value of a metric's label.
type Undecided string

// Why a check has no decision.
const (
	NoKey                Undecided = "no_key"
	NoEntrypoint         Undecided = "no_entrypoint"
	MisconfiguredGateway Undecided = "misconfigured_gateway"
	Unreadable           Undecided = "unreadable"
	TooLarge             Undecided = "too_large"
	TooSlow              Undecided = "too_slow"
	Stopping             Undecided = "stopping"
	TooManyCalls         Undecided = "too_many_calls"
	Failed               Undecided = "failed"
	// Unfulfilled is an allow that the gateway cannot carry out.
	Unfulfilled Undecided = "unfulfilled"
)

// Decision is what the client of the request is told: fixed text, as the cause is for operators.
func (u Undecided) Decision() *authz.Decision {
	d := &authz.Decision{Kind: authz.Misconfigured, Status: http.StatusInternalServerError}
	reason := authz.Reason{Code: "misconfigured", Message: "the gateway or the sidecar is misconfigured"}
	switch u {
	case Stopping, TooSlow:
		d.Kind, d.Status = authz.Unavailable, http.StatusServiceUnavailable
		d.Headers = []authz.Header{{Name: "Retry-After", Values: []string{"1"}}}
		reason = authz.Reason{Code: "temporarily_unavailable",
			Message: "the request cannot be checked now; retry later"}
	case TooManyCalls:
		d.Kind, d.Status = authz.Unavailable, http.StatusTooManyRequests
		reason = authz.Reason{Code: "too_many_calls", Message: "too many requests; retry later"}
	case TooLarge:
		d.Kind, d.Status = authz.Malformed, http.StatusRequestEntityTooLarge
		reason = authz.Reason{Code: "too_large", Message: "the request is too large to be checked"}
	case Unreadable:
		d.Kind, d.Status = authz.Malformed, http.StatusBadRequest
		reason = authz.Reason{Code: "invalid_request", Message: "the request cannot be checked"}
	case Failed:
		d.Kind = authz.Internal
		reason = authz.Reason{Code: "internal_error", Message: "the sidecar failed"}
	case NoKey, NoEntrypoint, MisconfiguredGateway, Unfulfilled:
	}
	d.Reasons = []authz.Reason{reason}
	return d
}

// Limited is what the client is told of a check that is refused by over.
func Limited(over *listen.OverLimit) *authz.Decision {
	d := TooManyCalls.Decision()
	d.Headers = []authz.Header{{Name: "Retry-After", Values: []string{over.RetryAfter()}}}
	return d
}

// Checks counts the checks of gateways.
type Checks struct{ of *metrics.Counters }

// NewChecks counts by the kind of the decision, or by why there is none. r may be nil.
func NewChecks(r metrics.Registerer, name, help string, why ...Undecided) *Checks {
	var all []string
	for _, k := range authz.Kinds {
		all = append(all, k.String())
	}
	for _, u := range why {
		all = append(all, string(u))
	}
	return &Checks{metrics.NewCounters(r, name, help, "outcome", all...)}
}

// Decided counts a decision.
func (c *Checks) Decided(k authz.Kind) { c.of.Inc(k.String()) }

// Undecided counts a check without one.
func (c *Checks) Undecided(u Undecided) { c.of.Inc(string(u)) }
