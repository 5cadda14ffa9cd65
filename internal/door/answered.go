package door

import (
	"net/http"

	"github.com/authz-sidecar/sidecar/internal/metrics"
)

// Answered counts the calls of an API by how they ended.
type Answered struct{ of *metrics.Counters }

// The outcomes of calls.
const (
	answered    = "answered"
	refused     = "refused"
	unavailable = "unavailable"
	failed      = "failed"
)

// NewAnswered counts by outcome. r may be nil.
func NewAnswered(r metrics.Registerer, name, help string) *Answered {
	return &Answered{metrics.NewCounters(r, name, help, "outcome", answered, refused, unavailable, failed)}
}

// Ended counts a call by the status of its answer.
func (a *Answered) Ended(status int) {
	switch {
	case status < http.StatusBadRequest:
		a.of.Inc(answered)
	case status < http.StatusInternalServerError:
		a.of.Inc(refused)
	case status == http.StatusInternalServerError:
		a.of.Inc(failed)
	default:
		a.of.Inc(unavailable)
	}
}
