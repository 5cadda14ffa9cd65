package native

import (
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/authz-sidecar/sidecar/internal/status"
)

func addStatus(e *echo.Echo, report func() status.Report) {
	get(e, "/v1/status", func(c echo.Context) error { return writeJSON(c, http.StatusOK, report()) })
}

func addProbes(e *echo.Echo, report func() status.Report) {
	// An answer is all that liveness means.
	get(e, "/livez", func(c echo.Context) error { return writeJSON(c, http.StatusOK, alive{true}) })
	get(e, "/readyz", func(c echo.Context) error {
		s := report()
		code := http.StatusOK
		if !s.Ready {
			code = http.StatusServiceUnavailable
		}
		return writeJSON(c, code, readinessOf(s))
	})
}

// alive is the answer of /livez.
type alive struct {
	Alive bool `json:"alive"`
}

// get serves GET and HEAD, which balancers like to probe with.
func get(e *echo.Echo, path string, h echo.HandlerFunc) {
	e.GET(path, h)
	e.HEAD(path, h)
}

// readiness is public: a probe needs no caller key. Errors of policies with their files, and answers of servers about
// a canary, are in the status only.
type readiness struct {
	Ready bool `json:"ready"`
	// Because is that of status.Report, and Message the same for people.
	Because  string            `json:"because,omitzero"`
	Message  string            `json:"message,omitzero"`
	Canaries []canaryReadiness `json:"canaries,omitempty"`
	Policy   policyReadiness   `json:"policy"`
}

// canaryReadiness is a canary that did not come back.
type canaryReadiness struct {
	Issuer  string    `json:"issuer"`
	Outcome string    `json:"outcome"`
	Since   time.Time `json:"since"`
}

func readinessOf(s status.Report) readiness {
	r := readiness{Ready: s.Ready, Because: s.Because,
		Policy: policyReadiness{Healthy: s.Policy.Healthy, Revision: s.Policy.Revision}}
	switch s.Because {
	case status.BecauseStarting:
		r.Message = "the sidecar is starting"
	case status.BecauseStopping:
		r.Message = "the sidecar is stopping: calls are still answered, new ones should go elsewhere"
	case status.BecauseStale:
		r.Message = "policies were not confirmed by their server for longer than is allowed"
	case status.BecauseCanary:
		for _, i := range s.Issuers {
			r.addCanary(i)
		}
	}
	return r
}

func (r *readiness) addCanary(i status.Issuer) {
	if i.Canary == "" {
		return
	}
	came := "the authorization server refuses the sidecar or its request"
	if i.CanaryOutcome == status.CanaryInactive {
		came = "a token that the authorization server issued to the sidecar a moment ago is not good"
	}
	since := i.CanarySince.UTC().Truncate(time.Second)
	r.Canaries = append(r.Canaries, canaryReadiness{i.Name, i.CanaryOutcome, since})
	if r.Message != "" {
		r.Message += "; "
	}
	r.Message += fmt.Sprintf("the canary of issuer %q does not come back since %s: %s", i.Name,
		since.Format(time.RFC3339), came)
}

type policyReadiness struct {
	Healthy  bool   `json:"healthy"`
	Revision string `json:"revision"`
}

func writeJSON(c echo.Context, code int, v any) error {
	b, err := json.Marshal(v, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Blob(code, "application/json", append(b, '\n'))
}
