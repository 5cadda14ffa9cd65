package introspect

import (
	"fmt"
	"net/http"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authserver"
	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// interpret turns a reply into a fact, or into an error that says whose fault it is: INT-6 to INT-9, INT-8b.
func (c *client) interpret(r authserver.Reply, tok secret.Text, fetched time.Time) (dialect.Fact, error) {
	switch {
	case r.Status == http.StatusOK:
		return c.interpretOK(r, tok, fetched)
	case c.reader.Inactive(r.Status, r.MediaType(), r.OAuthError()):
		f := dialect.Dead(fmt.Sprintf("is not active: the authorization server says so by status %d", r.Status), fetched)
		f.Keep = dialect.Inactive
		return f, nil
	case r.Status == http.StatusTooManyRequests || r.Status >= 500:
		return dialect.Fact{}, r.Refuse(authz.Unavailable, "")
	case r.Status >= 300 && r.Status < 400:
		return dialect.Fact{}, r.Refuse(authz.Misconfigured, "redirects are not followed")
	case r.Status >= 400:
		return dialect.Fact{}, r.Refuse(authz.Misconfigured, "it refuses our credentials or our request")
	}
	return dialect.Fact{}, r.Refuse(authz.Unavailable, "this is no answer of an introspection endpoint")
}

func (c *client) interpretOK(r authserver.Reply, tok secret.Text, fetched time.Time) (dialect.Fact, error) {
	switch {
	case r.Over:
		return dialect.Fact{}, r.Refuse(authz.Unavailable, fmt.Sprintf("the answer is over %d bytes", len(r.Body)))
	case !r.IsJSON():
		return dialect.Fact{}, r.Refuse(authz.Unavailable, "the content type is not application/json")
	}
	f, err := c.reader.Read(r.Body, tok, fetched)
	if err != nil {
		return dialect.Fact{}, r.Refuse(authz.Unavailable, err.Error())
	}
	return f, nil
}
