package opa

import (
	"encoding/json"
	"net/http"

	"github.com/authz-sidecar/sidecar/internal/status"
)

// health serves GET /health: {} where the sidecar is ready, and 500 with {"error": ...} where it is not. Its
// parameters (bundles, plugins, exclude-plugin) ask for parts of what readiness is.
func (d *data) health(w http.ResponseWriter, _ *http.Request) {
	if !d.cfg.Enabled {
		off("the OPA API, which has this path, is off: the probes of the sidecar are /livez and /readyz").write(w)
		return
	}
	var out struct {
		Error string `json:"error,omitempty"`
	}
	code, now := http.StatusOK, d.deps.Status()
	if !now.Ready {
		code, out.Error = http.StatusInternalServerError, notReady(now.Because)
	}
	body, err := json.Marshal(out)
	if err != nil {
		failureOf(err, "").write(w)
		return
	}
	write(w, code, append(body, '\n'))
}

// notReady says why, without what only operators are told: a probe needs no key.
func notReady(because string) string {
	switch because {
	case status.BecauseStarting:
		return "the sidecar is starting"
	case status.BecauseStopping:
		return "the sidecar is stopping"
	case status.BecauseCanary:
		return "the canary of an authorization server does not come back"
	case status.BecauseStale:
		return "policies were not confirmed by their server for longer than is allowed"
	}
	return "the sidecar is not ready"
}
