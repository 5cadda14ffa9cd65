package native

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/door/description"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/listen"
)

// eventsPath is where events come. See Deps.Events.
const eventsPath = "/v1/events/*"

// guarded refuses calls that the listener does not accept. Events are accepted under every name and without a key:
// their senders are authorization servers, and an event counts only when one that is configured has signed it. Probes
// need no key: what sends them has no secrets. The description of the API needs none either: it is public. What needs
// no key is not limited.
//
// Checks of gateways are refused too, at all paths but those that gateways forward to this listener for everyone: a
// gateway that asks here by mistake would take the page at / for an allow.
func guarded(g *listen.Guard, mounted []description.Door, misled misled) echo.MiddlewareFunc {
	type route struct{ method, path string }
	known := map[route]*description.Operation{}
	for _, o := range operations(mounted) {
		known[route{o.Method, routeOf(o)}] = &o
	}
	unknown := new(description.Operation)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			path, method := c.Path(), c.Request().Method
			if method == http.MethodHead {
				method = http.MethodGet
			}
			o := cmp.Or(known[route{method, path}], unknown)
			if path == eventsPath || o.Needs == description.NoName {
				return next(c)
			}
			if err := nameError(g.CheckName(c.Request())); err != nil {
				return err
			}
			if mark := door.GatewayMark(c.Request()); mark != "" {
				return misled(mark, c.Request())
			}
			if o.Needs == description.CallerKey {
				if err := admitted(g, o, c); err != nil {
					return err
				}
			}
			return next(c)
		}
	}
}

// misled is the answer to a check of a gateway, by its mark.
type misled func(mark string, r *http.Request) error

// newMisled tells the log too, a line a second: many gateways show the answer to no one.
func newMisled(log *slog.Logger, listener string) misled {
	complaints := door.NewComplaints(log, door.MisconfiguredGateway)
	return func(mark string, r *http.Request) error {
		err := door.NewCallError(http.StatusMisdirectedRequest, "gateway_check",
			"the call is the check of a gateway, by "+mark+", and this listener decides none: have the gateway "+
				"ask the address of its listener in listen.forward_auth, or over gRPC that of listen.grpc", "")
		complaints.About(door.MisconfiguredGateway, err, r.RemoteAddr, "listener", listener)
		return err
	}
}

// admitted returns the error of a call without a caller key, or of a caller that calls too often.
func admitted(g *listen.Guard, o *description.Operation, c echo.Context) error {
	authorization := c.Request().Header.Get("Authorization")
	var err error
	if o.Unlimited {
		err = g.CheckKey(authorization)
	} else {
		err = g.AdmitCall(c.Request(), authorization)
	}
	if over, ok := errors.AsType[*listen.OverLimit](err); ok {
		e := door.NewCallError(http.StatusTooManyRequests, "too_many_calls",
			"this caller calls too often: ask again in "+
				over.RetryAfter()+" s, or raise limits.per_caller of the listener in the configuration", "")
		e.RetryAfter = over.RetryAfter()
		return e
	}
	if err != nil {
		c.Response().Header().Set("WWW-Authenticate", callerChallenge)
		return door.NewCallError(http.StatusUnauthorized, "unauthorized", "this listener wants a caller key: send "+
			"Authorization: Bearer KEY, with a key of its bearer_keys_file", "")
	}
	return nil
}

const callerChallenge = `Bearer realm="sidecar"`

func nameError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, httpuri.ErrOrigin):
		return door.NewCallError(
			http.StatusForbidden, "foreign_origin",
			"a web page of another origin may not call this listener: "+
				"add its host to the hosts of the listener in the configuration", "",
		)
	}
	return door.NewCallError(
		http.StatusMisdirectedRequest, "unknown_host",
		"this listener has another name than the Host of the call: "+
			"ask it by a loopback address, or add the name to its hosts in the configuration", "",
	)
}
