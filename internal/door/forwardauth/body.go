package forwardauth

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
)

// errTooLarge is a check whose body is over the limit: half of it is not decided about.
var errTooLarge = errors.New("the body of the request is over limits.body_bytes of the listener: raise it, or have the " +
	"gateway send less")

// sendsBody reports whether the gateway can send the body of the request with a check.
func (p Profile) sendsBody() bool { return p == Traefik || p == Envoy }

// readBody gives request the body of a check. A gateway that sends none must not announce one either: where the body
// that is announced does not follow, the next check on the connection is read as the body of this one.
func (c Config) readBody(r *http.Request, request *authz.Request) error {
	if r.ContentLength == 0 {
		return nil
	}
	if !c.Profile.sendsBody() {
		return fmt.Errorf("the check announces a body, and profile %s sends none: have the gateway leave out "+
			"Content-Length and Transfer-Encoding, as in docs/gateways/%[1]s.md", c.Profile)
	}
	if r.ContentLength > c.Limits.BodyBytes {
		return errTooLarge
	}
	var body strings.Builder
	switch n, err := io.Copy(&body, io.LimitReader(r.Body, c.Limits.BodyBytes+1)); {
	case err != nil:
		return fmt.Errorf("%w: its body did not arrive whole", errForm)
	case n > c.Limits.BodyBytes:
		return errTooLarge
	}
	request.Body, request.HasBody = body.String(), body.Len() > 0
	request.BodyPartial = c.Profile == Envoy && door.SaysPartialBody(request.Headers)
	return nil
}
