package native

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/authz-sidecar/sidecar/internal/door"
)

// writeError answers a call that failed: {"error": {"code", "message", "pointer"}}.
func writeError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	var e *door.CallError
	var routed *echo.HTTPError
	switch {
	case errors.As(err, &e):
	case errors.As(err, &routed) && routed.Code == http.StatusNotFound:
		e = door.NewCallError(http.StatusNotFound, "not_found",
			"there is nothing at this path: this listener has "+strings.Join(paths(c.Echo()), ", "), "")
	case errors.As(err, &routed) && routed.Code == http.StatusMethodNotAllowed:
		e = door.NewCallError(http.StatusMethodNotAllowed, "method_not_allowed", "this path does not take this method",
			"")
	default:
		e = door.NewCallError(http.StatusInternalServerError, "internal_error", "the sidecar failed", "")
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	_ = c.JSON(e.Status, map[string]*door.CallError{"error": e}) // fails only when the caller is gone
}

// paths are those that a listener serves.
func paths(e *echo.Echo) []string {
	var all []string
	for _, r := range e.Routes() {
		all = append(all, r.Path)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
