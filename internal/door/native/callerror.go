package native

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/door/description"
	"github.com/authz-sidecar/sidecar/internal/suggest"
)

// errorsOf answers calls of a listener that failed: {"error": {"code", "message", "pointer"}}.
func errorsOf(listener string, mounts []door.Mount) echo.HTTPErrorHandler {
	return func(err error, c echo.Context) {
		if c.Response().Committed {
			return
		}
		var e *door.CallError
		var routed *echo.HTTPError
		switch {
		case errors.As(err, &e):
		case errors.As(err, &routed) && routed.Code == http.StatusNotFound:
			e = door.NewCallError(http.StatusNotFound, "not_found",
				"there is nothing at this path"+elsewhere(c.Request().URL.Path, listener, door.Doors(mounts)), "")
		case errors.As(err, &routed) && routed.Code == http.StatusMethodNotAllowed:
			methods := strings.TrimPrefix(c.Response().Header().Get("Allow"), "OPTIONS, ")
			e = door.NewCallError(http.StatusMethodNotAllowed, "method_not_allowed", "this path takes "+methods, "")
		default:
			e = door.NewCallError(http.StatusInternalServerError, "internal_error", "the sidecar failed", "")
		}
		c.Response().Header().Set("Cache-Control", "no-store")
		if e.RetryAfter != "" {
			c.Response().Header().Set("Retry-After", e.RetryAfter)
		}
		if refuse := refuserOf(c.Request(), mounts); refuse != nil {
			refuse(c.Response(), c.Request(), e)
			return
		}
		_ = c.JSON(e.Status, map[string]*door.CallError{"error": e}) // fails only when the caller is gone
	}
}

// elsewhere says, as the end of a message, what a caller may have meant by a path that a listener does not have. It
// does not repeat the path: there may be a token in it.
func elsewhere(path, listener string, mounted []description.Door) string {
	if strings.HasPrefix(path, "/v1/events/") {
		if listener == "admin" {
			return ": the configuration has no events"
		}
		return ": events are received by the admin listener (listen.admin)"
	}
	if meant := sameInOthers(path); meant != "" {
		path = meant
	}
	var paths []string
	for _, o := range operations(mounted) {
		paths = append(paths, o.Path)
	}
	closest := suggest.Closest(path, paths)
	if closest == "" {
		closest = suggest.Closest("/v1"+path, paths)
	}
	var own []string
	for _, o := range operations(mounted) {
		here, call := slices.Contains(o.Listeners, listener), o.Method+" "+o.Path
		switch {
		case o.Path == closest && here:
			return ": did you mean " + call + "?"
		case o.Path == closest:
			return ": " + call + " is on the listener " + strings.Join(o.Listeners, " or ") +
				" (listen." + strings.Join(o.Listeners, ", listen.") + " of the configuration)"
		case here:
			own = append(own, call)
		}
	}
	return ": this listener has " + strings.Join(own, ", ")
}

// sameInOthers returns the path of this API that does what a path of other products does, or "".
func sameInOthers(path string) string {
	switch {
	case path == "/health", path == "/healthz", path == "/-/healthy", path == "/ping", path == "/live":
		return "/livez"
	case path == "/ready", path == "/-/ready":
		return "/readyz"
	case strings.HasPrefix(path, "/v1/data"), path == "/access/v1/evaluation", path == "/api/check/resources":
		return "/v1/decisions"
	case path == "/access/v1/evaluations":
		return "/v1/decisions/batch"
	case path == "/swagger.json", path == "/openapi", path == "/openapi.yaml", path == "/docs", path == "/api-docs":
		return "/openapi.json"
	}
	return ""
}
