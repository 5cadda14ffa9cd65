package remote

import (
	"context"
	"net/url"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// send puts the question about a token in the form that the dialect of the server needs.
func (c *Client) send(ctx context.Context, endpoint string, tok secret.Text) (oauth.Reply, error) {
	r := c.reader.Request()
	switch r.Encoding {
	case dialect.Form:
		form := url.Values{r.Parameter: {tok.Reveal()}}
		if r.Hint != "" {
			form.Set("token_type_hint", r.Hint)
		}
		return c.server.Post(ctx, endpoint, form, c.signed.accept(r.Accept))
	case dialect.JSON:
		// Invalid UTF-8 is replaced: such a token was never issued, and the server will say so.
		body, err := json.Marshal(map[string]string{r.Parameter: tok.Reveal()}, jsontext.AllowInvalidUTF8(true))
		if err != nil { // err would quote the token
			return oauth.Reply{}, authz.Errorf(authz.Misconfigured,
				"ask issuer %q: the question cannot be written as JSON", c.name)
		}
		return c.server.PostJSON(ctx, endpoint, body, c.signed.accept(r.Accept))
	}
	return oauth.Reply{}, authz.Errorf(authz.Misconfigured,
		"ask issuer %q: a server of this dialect cannot be asked about tokens", c.name)
}
