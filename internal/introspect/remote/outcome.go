package remote

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// interpret turns a reply into a fact, or into an error that says who must act: INT-6 to INT-9, INT-8b.
func (c *Client) interpret(ctx context.Context, r oauth.Reply, tok secret.Text, fetched time.Time,
) (dialect.Fact, error) {
	switch {
	case r.Status == http.StatusOK:
		return c.interpretOK(ctx, r, tok, fetched)
	case c.saysInactive(r):
		f := dialect.Unusable(authz.NotUsable(authz.Inactive,
			fmt.Sprintf("is not active: the authorization server says so by status %d", r.Status)), fetched)
		f.Keep = dialect.Inactive
		return f, nil
	case r.Temporary():
		return dialect.Fact{}, r.Refuse(authz.Unavailable, "")
	case r.Status >= 300 && r.Status < 400:
		return dialect.Fact{}, r.Refuse(authz.Misconfigured, "redirects are not followed")
	case r.Status >= 400:
		return dialect.Fact{}, r.Refuse(authz.Misconfigured, "it refuses the sidecar's credentials or its request")
	}
	return dialect.Fact{}, r.Refuse(authz.Unavailable, "this is no answer of an introspection endpoint")
}

// saysInactive reports whether a reply other than 200 is about the token. A 204 is not signed. Where the sidecar
// authenticates by an access token (RFC 6750), invalid_token may be about that token.
func (c *Client) saysInactive(r oauth.Reply) bool {
	code := r.OAuthError()
	switch {
	case c.signed != nil && r.Status < 400, c.withToken && code == "invalid_token":
		return false
	}
	return c.reader.Inactive(r.Status, r.MediaType(), code)
}

func (c *Client) interpretOK(ctx context.Context, r oauth.Reply, tok secret.Text, fetched time.Time,
) (dialect.Fact, error) {
	body := r.Body
	switch {
	case r.Over:
		return dialect.Fact{}, r.Refuse(authz.Unavailable, fmt.Sprintf("the answer is over %d bytes", len(r.Body)))
	case c.signed != nil:
		var err error
		if body, err = c.signed.open(ctx, r); err != nil {
			return dialect.Fact{}, err
		}
	case !r.IsJSON():
		return dialect.Fact{}, r.Refuse(authz.Unavailable, "the content type is not application/json")
	}
	f, err := c.reader.Read(body, tok, fetched)
	if err != nil {
		return dialect.Fact{}, r.Refuse(authz.Unavailable, err.Error())
	}
	return f, nil
}
