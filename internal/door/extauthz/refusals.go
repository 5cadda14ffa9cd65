package extauthz

import (
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/door/extauthz/answer"
	"github.com/authz-sidecar/sidecar/internal/metrics"
)

// refusal is why a check was not decided: a value of a metric's label.
type refusal string

// The refusals.
const (
	stopping     refusal = "stopping"
	noKey        refusal = "no_key"
	tooLarge     refusal = "too_large"
	tooSlow      refusal = "too_slow"
	unreadable   refusal = "unreadable"
	noEntrypoint refusal = "no_entrypoint"
	failed       refusal = "failed"
	// unfulfilled is an allow that Envoy cannot carry out.
	unfulfilled refusal = "unfulfilled"
)

func refusals() []refusal {
	return []refusal{stopping, noKey, tooLarge, tooSlow, unreadable, noEntrypoint, failed, unfulfilled}
}

// decision is what the client of the request is told: fixed text, as the cause is for operators.
func (r refusal) decision() *authz.Decision {
	d := &authz.Decision{Kind: authz.Misconfigured, Status: http.StatusInternalServerError}
	reason := authz.Reason{Code: "misconfigured", Message: "the gateway or the sidecar is misconfigured"}
	switch r {
	case stopping, tooSlow:
		d.Kind, d.Status = authz.Unavailable, http.StatusServiceUnavailable
		d.Headers = []authz.Header{{Name: "Retry-After", Values: []string{"1"}}}
		reason = authz.Reason{Code: "temporarily_unavailable",
			Message: "the request cannot be checked now; retry later"}
	case tooLarge:
		d.Kind, d.Status = authz.Malformed, http.StatusRequestEntityTooLarge
		reason = authz.Reason{Code: "too_large", Message: "the request is too large to be checked"}
	case unreadable:
		d.Kind, d.Status = authz.Malformed, http.StatusBadRequest
		reason = authz.Reason{Code: "invalid_request", Message: "the request cannot be checked"}
	case failed:
		d.Kind = authz.Internal
		reason = authz.Reason{Code: "internal_error", Message: "the sidecar failed"}
	case noKey, noEntrypoint, unfulfilled:
	}
	d.Reasons = []authz.Reason{reason}
	return d
}

// outcomes counts checks.
type outcomes struct{ of *metrics.Counters }

func newOutcomes(r metrics.Registerer) *outcomes {
	var all []string
	for _, k := range authz.Kinds {
		all = append(all, k.String())
	}
	for _, r := range refusals() {
		all = append(all, string(r))
	}
	return &outcomes{metrics.NewCounters(r, "sidecar_door_extauthz_checks_total",
		"Checks of Envoy over gRPC, by the kind of the decision, or by why there is none.", "outcome", all...)}
}

// counted is the answer to a check that is refused without a decision, counted.
func (o *outcomes) counted(r refusal) answer.Answer {
	o.of.Inc(string(r))
	d := r.decision()
	mediaType, body := door.ClientBody(d)
	return answer.Refuse(answer.Refused{Kind: d.Kind, Status: d.Status, Headers: d.Headers, Type: mediaType,
		Body: body})
}

// decided counts a decision that was answered by a.
func (o *outcomes) decided(k authz.Kind, a answer.Answer) {
	if k == authz.Allow && !a.Passes() {
		o.of.Inc(string(unfulfilled))
		return
	}
	o.of.Inc(k.String())
}

// complaints limit what the log tells of refused checks: a line a second and refusal.
type complaints struct{ by map[refusal]*rate.Sometimes }

func newComplaints() *complaints {
	c := &complaints{map[refusal]*rate.Sometimes{}}
	for _, r := range refusals() {
		c.by[r] = &rate.Sometimes{First: 1, Interval: time.Second}
	}
	return c
}

func (c *complaints) log(log *slog.Logger, r refusal, cause error, caller string) {
	due := false
	c.by[r].Do(func() { due = true }) // Sometimes holds a lock while its function runs
	if due {
		log.Warn("a check was refused without a decision", "why", string(r), "cause", cause, "caller", caller)
	}
}
