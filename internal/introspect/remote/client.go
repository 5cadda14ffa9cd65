// Package remote asks an authorization server about a token: RFC 7662, and RFC 9701 for signed answers.
package remote

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Deps is what a Client needs besides its own configuration.
type Deps struct {
	Endpoint oauth.Config
	Server   *oauth.Server
	Reader   *dialect.Reader
	Metrics  metrics.Registerer // of the issuer; may be nil
	Log      *slog.Logger       // may be nil
	// RequireSigned asks for signed answers and takes no other; Keys verify them, and IssuedAhead is how far ahead
	// the clock of the server may be.
	RequireSigned bool
	Keys          jose.KeySource
	IssuedAhead   time.Duration
}

// Client is the last layer: each question is one exchange with the server.
type Client struct {
	name      string
	timeout   time.Duration
	server    *oauth.Server
	reader    *dialect.Reader
	signed    *signed // nil unless signed answers are required
	withToken bool    // the sidecar authenticates by an access token of its own
	counts    *counts
	record    *record
}

var _ introspect.Asker = (*Client)(nil)

// New reads the decryption key that cfg names.
func New(cfg SignedResponse, deps Deps) (*Client, error) {
	c := &Client{
		name: deps.Endpoint.Name, timeout: deps.Endpoint.Timeout, server: deps.Server, reader: deps.Reader,
		withToken: deps.Endpoint.Client.ShowsToken(), counts: newCounts(deps.Metrics),
		record: &record{issuer: deps.Endpoint.Name, log: cmp.Or(deps.Log, slog.New(slog.DiscardHandler))},
	}
	metrics.NewGaugeFunc(deps.Metrics, "sidecar_introspect_last_answer_timestamp_seconds",
		"Time of the last usable answer of the authorization server, in seconds since the epoch; 0 for never.", c.record.lastFit)
	if !deps.RequireSigned {
		return c, nil
	}
	var err error
	c.signed, err = newSigned(cfg, deps)
	return c, err
}

// Ask is one exchange within the configured timeout. It reports how it ended.
func (c *Client) Ask(ctx context.Context, q introspect.Question) (introspect.Fact, error) {
	start := time.Now()
	f, _, err := c.exchange(ctx, q.Token)
	c.counts.asked(outcomeOf(f, err), time.Since(start))
	return f, err
}

func outcomeOf(f introspect.Fact, err error) string {
	switch {
	case err == nil && f.Claims.Active:
		return outcomeActive
	case err == nil:
		return outcomeInactive
	case authz.KindOf(err) == authz.Misconfigured:
		return outcomeMisconfigured
	}
	return outcomeUnavailable
}

// Diagnose is one exchange and the answer as it came, filled as far as things went when there is an error too. It is
// not reported to the observer.
func (c *Client) Diagnose(ctx context.Context, tok secret.Text) (introspect.Fact, introspect.Answer, error) {
	f, r, err := c.exchange(ctx, tok)
	date, _ := http.ParseTime(r.Header.Get("Date")) // the zero time when there is none
	a := introspect.Answer{
		Date: date, Endpoint: r.Endpoint, Status: r.Status, ContentType: r.Header.Get("Content-Type"),
		Error: r.OAuthError(), Body: r.Body, Claims: f.Claims,
	}
	if err == nil && c.signed != nil && r.Status == http.StatusOK {
		a.Verified, err = c.signed.open(ctx, r)
	}
	return f, a, err
}

// exchange returns the reply, as far as it came, when there is an error too. It records how it ended.
func (c *Client) exchange(ctx context.Context, tok secret.Text) (f introspect.Fact, r oauth.Reply, err error) {
	defer func() { c.record.ended(err) }()
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	endpoint, err := c.server.Endpoint(ctx, oauth.Introspection)
	if err != nil {
		return introspect.Fact{}, oauth.Reply{}, err
	}
	fetched := time.Now()
	c.record.sent(fetched)
	if r, err = c.send(ctx, endpoint, tok); err != nil {
		return introspect.Fact{}, r, err
	}
	found, err := c.interpret(ctx, r, tok, fetched)
	if err != nil {
		return introspect.Fact{}, r, err
	}
	return introspect.Fact{Fact: found, Endpoint: endpoint, Control: cacheControl(r.Header)}, r, nil
}
