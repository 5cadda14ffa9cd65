package decision

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/mcp"
	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/resource"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// client is who is answered, as far as the answer depends on it.
type client struct {
	// scheme is how the token was presented, or "".
	scheme token.Scheme
	// resource is the protected resource of the request; nil when it is of none.
	resource *resource.Resource
	// message is the message of MCP in the request; nil when there is none.
	message *mcp.View
	// held are the scopes of the token.
	held []string
	// expires is when the token expires; 0 when that is not known, or there is no token.
	expires authz.Time
	// use is that of the proof of the request; nil while none was accepted.
	use *proof.Use
}

// learn takes what is known of the token, and refuses one that is for another resource (RFC 8707 section 2, MCP
// 2026-07-28, Token Handling).
func (c *client) learn(claims *authz.Claims) error {
	r := c.resource
	if r != nil && r.AudienceCheck == resource.CheckResource && claims.Active &&
		!slices.Contains(claims.Audiences, r.Resource) {
		return &authz.Error{Kind: authz.Unauthenticated, Unusable: authz.WrongAudience,
			Err: fmt.Errorf("check token: its aud lacks %s, the resource of the request", r.Resource)}
	}
	c.held, c.expires = claims.Scopes, claims.ExpiresAt
	return nil
}

// complete gives the refusal of a message of MCP a body that its client can read: a JSON-RPC error. Its code is the
// status, which is none of the codes that JSON-RPC and MCP keep for themselves.
func (c *client) complete(d *authz.Decision, decisionID string) {
	if c.message == nil || d.Kind == authz.Allow || d.Body != nil {
		return
	}
	text := http.StatusText(d.Status)
	if len(d.Reasons) > 0 && d.Reasons[0].Message != "" {
		text = d.Reasons[0].Message
	}
	data, err := json.Marshal(map[string]string{"decision_id": decisionID})
	if err != nil {
		data = nil
	}
	d.Body = mcp.ErrorBody(c.message.ID, d.Status, text, data)
}
