package opa

import (
	"net/http"

	"github.com/authz-sidecar/sidecar/internal/metrics"
)

// calls counts calls.
type calls struct{ of *metrics.Counters }

// The outcomes of calls.
const (
	answered    = "answered"
	rejected    = "refused"
	unavailable = "unavailable"
	faulty      = "failed"
)

func newCalls(r metrics.Registerer) *calls {
	return &calls{metrics.NewCounters(r, "sidecar_door_opa_calls_total", "Calls of OPA's data API, by outcome.",
		"outcome", answered, rejected, unavailable, faulty)}
}

// ended counts a call by its status.
func (c *calls) ended(status int) {
	switch {
	case status < http.StatusBadRequest:
		c.of.Inc(answered)
	case status < http.StatusInternalServerError:
		c.of.Inc(rejected)
	case status == http.StatusInternalServerError:
		c.of.Inc(faulty)
	default:
		c.of.Inc(unavailable)
	}
}
