package native

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// names are the hosts as which a TCP listener may be asked.
type names struct{ httpuri.Names }

// require refuses calls that a web page of another origin made, also under a name that its owner let lead here (DNS
// rebinding). Events are judged by their signatures, and come under the name that the authorization server knows.
func (n names) require(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Path() == eventsPath {
			return next(c)
		}
		switch err := n.Check(c.Request()); {
		case err == nil:
			return next(c)
		case errors.Is(err, httpuri.ErrOrigin):
			return &callError{http.StatusForbidden, "foreign_origin", "a web page of another origin may not call this listener: add its host to the hosts of the listener in the configuration", ""}
		default:
			return &callError{http.StatusMisdirectedRequest, "unknown_host", "this listener has another name than the Host of the call: ask it by a loopback address, or add the name to its hosts in the configuration", ""}
		}
	}
}
