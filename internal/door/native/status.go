package native

import (
	"net/http"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/authz-sidecar/sidecar/internal/status"
)

func addStatus(e *echo.Echo, report func() status.Report) {
	get(e, "/v1/status", func(c echo.Context) error { return writeJSON(c, http.StatusOK, report()) })
	// An answer is all that liveness means.
	get(e, "/livez", func(c echo.Context) error { return writeJSON(c, http.StatusOK, map[string]bool{"alive": true}) })
	get(e, "/readyz", func(c echo.Context) error {
		s := report()
		code := http.StatusOK
		if !s.Ready {
			code = http.StatusServiceUnavailable
		}
		r := readiness{Ready: s.Ready, Policy: policyReadiness{Healthy: s.Policy.Healthy, Revision: s.Policy.Revision}}
		if slices.ContainsFunc(s.Issuers, func(i status.Issuer) bool { return i.Canary != "" }) {
			r.Because = "canary"
		}
		return writeJSON(c, code, r)
	})
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
	// Because is "canary" while a canary is not active, and absent otherwise.
	Because string          `json:"because,omitzero"`
	Policy  policyReadiness `json:"policy"`
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
