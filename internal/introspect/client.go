package introspect

import (
	"context"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// maxTokenBytes bounds what is sent as a token: INT-12. Longer ones make servers answer 400, which would look like our mistake.
const maxTokenBytes = 16 << 10

// Answer is what the server said to one uncached question, for a person who looks for a mistake.
// Body may hold anything the server likes, the token included: it is for the eyes of whoever has the token.
type Answer struct {
	// Endpoint is the URL that was asked; empty when it could not be found out, and when nobody was asked.
	Endpoint string
	// Status is the HTTP status; 0 when there was no answer.
	Status int
	// ContentType is the header as received.
	ContentType string
	// Error is the OAuth error code of a refusal (RFC 6749 section 5.2); empty when there is none that is known.
	Error string
	// Date is when the server says that it answered; zero when it does not.
	Date time.Time
	// Body is the payload, decompressed, and no longer than max_response_bytes.
	Body []byte
	// Verified is the answer inside a signed response that has been verified; nil when the response is not signed.
	Verified []byte
	// Claims is what the body means; nil when it has no meaning, and then there is an error. Where the token was validated
	// here and nobody was asked, it is what the token itself says.
	Claims *authz.Claims
}

// client asks: RFC 7662 section 2.1. It does not retry: that is for those who wear it.
type client struct {
	name     string
	timeout  time.Duration
	server   *oauth.Server
	reader   *dialect.Reader
	seal     *seal // nil unless signed answers are required
	bearer   bool  // the sidecar shows an access token of its own to be let in
	observer Observer
}

// ask puts one question within the configured timeout and reports how it ended.
func (c *client) ask(ctx context.Context, q Question) (fact, error) {
	start := time.Now()
	f, _, err := c.question(ctx, q.Token)
	c.observer.Asked(c.name, outcomeOf(f, err), time.Since(start))
	return f, err
}

func outcomeOf(f fact, err error) string {
	switch {
	case err == nil && f.Claims.Active:
		return "active"
	case err == nil:
		return "inactive"
	case authz.KindOf(err) == authz.Misconfigured:
		return "misconfigured"
	}
	return "unavailable"
}

// question is one exchange and its meaning. The reply is returned, as far as it came, when there is an error too.
func (c *client) question(ctx context.Context, tok secret.Text) (fact, oauth.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	endpoint, err := c.server.Endpoint(ctx, oauth.Introspection)
	if err != nil {
		return fact{}, oauth.Reply{}, err
	}
	fetched := time.Now()
	r, err := c.send(ctx, endpoint, tok)
	if err != nil {
		return fact{}, r, err
	}
	f, err := c.interpret(ctx, r, tok, fetched)
	if err != nil {
		return fact{}, r, err
	}
	return fact{Fact: f, endpoint: endpoint, control: directivesOf(r.Header)}, r, nil
}
