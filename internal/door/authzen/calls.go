package authzen

import (
	"errors"

	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/metrics"
)

// calls counts calls.
type calls struct{ of *metrics.Counters }

// The outcomes of calls.
const (
	answered    = "answered"
	refused     = "refused"
	unavailable = "unavailable"
	faulty      = "failed"
)

func newCalls(r metrics.Registerer) *calls {
	return &calls{metrics.NewCounters(r, "sidecar_door_authzen_calls_total", "Calls of the AuthZEN API, by outcome.",
		"outcome", answered, refused, unavailable, faulty)}
}

// ended counts a call that ended with err.
func (c *calls) ended(err error) {
	var e *door.CallError
	switch {
	case err == nil:
		c.of.Inc(answered)
	case !errors.As(err, &e) || e.Status == 500:
		c.of.Inc(faulty)
	case e.Status > 500:
		c.of.Inc(unavailable)
	default:
		c.of.Inc(refused)
	}
}
