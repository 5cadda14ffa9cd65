// Package sidecarecho guards the handlers of echo (github.com/labstack/echo/v4) with the decisions of the
// authorization sidecar. Package sidecarclient has the same for net/http, and everything else.
package sidecarecho

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/authz-sidecar/sidecar/sidecarclient"
)

// Middleware is sidecarclient.Middleware for echo. It panics when cfg has no Client.
//
// Register it by Echo.Use or on a group. cfg.OnRefuse answers refused requests; echo's HTTPErrorHandler does not see
// them.
func Middleware(cfg sidecarclient.MiddlewareConfig) echo.MiddlewareFunc {
	guard := sidecarclient.Middleware(cfg)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) (err error) {
			guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				c.SetRequest(r)
				err = next(c)
			})).ServeHTTP(c.Response(), c.Request())
			return err
		}
	}
}

// Decision returns the decision about the request of c: inside a handler that Middleware guards.
func Decision(c echo.Context) (*sidecarclient.Decision, bool) {
	return sidecarclient.FromContext(c.Request().Context())
}
