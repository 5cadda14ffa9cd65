package introspect

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// maxTokenBytes bounds what is sent as a token: INT-12. Longer ones make servers answer 400, which would look like our mistake.
const maxTokenBytes = 16 << 10

// Answer is what the server said to one uncached question, for a person who looks for a mistake.
// Body may hold anything the server likes, the token included: it is for the eyes of whoever has the token.
type Answer struct {
	// Endpoint is the URL that was asked; empty when it could not be found out.
	Endpoint string
	// Status is the HTTP status; 0 when there was no answer.
	Status int
	// ContentType is the header as received.
	ContentType string
	// Body is the payload, decompressed, and no longer than max_response_bytes.
	Body []byte
	// Claims is what the body means; nil when it has no meaning, and then there is an error.
	Claims *authz.Claims
}

// client asks: RFC 7662 section 2.1. It does not retry, for the time of the caller is short.
type client struct {
	cfg        Config
	secret     secret.Text
	http       *http.Client
	discovery  *discovery
	normaliser normaliser
	observer   Observer
}

// ask puts one question within the configured timeout and reports how it ended.
func (c *client) ask(ctx context.Context, tok secret.Text) (fact, error) {
	start := time.Now()
	f, _, err := c.question(ctx, tok)
	c.observer.Asked(c.cfg.Name, outcomeOf(f, err), time.Since(start))
	return f, err
}

func outcomeOf(f fact, err error) string {
	switch {
	case err == nil && f.claims.Active:
		return "active"
	case err == nil:
		return "inactive"
	case authz.KindOf(err) == authz.Misconfigured:
		return "misconfigured"
	}
	return "unavailable"
}

// question is one exchange and its meaning. The reply is returned, as far as it came, when there is an error too.
func (c *client) question(ctx context.Context, tok secret.Text) (fact, reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	endpoint, err := c.discovery.find(ctx)
	if err != nil {
		return fact{}, reply{}, err
	}
	fetched := time.Now()
	r, err := c.post(ctx, endpoint, tok)
	if err != nil {
		return fact{}, r, err
	}
	f, err := c.interpret(r, tok, fetched)
	if err != nil {
		return fact{}, r, err
	}
	f.endpoint = endpoint
	return f, r, nil
}

// reply is an HTTP answer, read and bounded.
type reply struct {
	endpoint string
	status   int
	header   http.Header
	body     []byte
	// over is set when the body was longer than the limit; body is then its beginning.
	over bool
}

func (c *client) post(ctx context.Context, endpoint string, tok secret.Text) (reply, error) {
	req, err := c.request(ctx, endpoint, tok)
	if err != nil {
		return reply{endpoint: endpoint}, err
	}
	return roundTrip(c.http, req, c.cfg.MaxResponseBytes)
}

// request builds the form and authenticates it by exactly one method: CA-1.
func (c *client) request(ctx context.Context, endpoint string, tok secret.Text) (*http.Request, error) {
	form := url.Values{"token": {tok.Reveal()}, "token_type_hint": {"access_token"}}
	var authorization string
	switch c.cfg.Client.Auth {
	case authPost:
		form.Set("client_id", c.cfg.Client.ID)
		form.Set("client_secret", c.secret.Reveal())
	case authBearer:
		authorization = "Bearer " + c.secret.Reveal()
	default:
		authorization = "Basic " + basicCredentials(c.cfg.Client, c.secret)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, authz.E(authz.Misconfigured, "ask introspection endpoint: its URL cannot be used")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "sidecar")
	// Asking is safe to repeat. net/http reads this as leave to use a fresh connection when a kept one turns out to have been
	// closed by the server meanwhile; a nil value is not sent.
	req.Header["Idempotency-Key"] = nil
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	return req, nil
}

// basicCredentials encodes id and secret separately before joining them (RFC 6749 section 2.3.1): either may hold a colon.
func basicCredentials(c Client, s secret.Text) string {
	id, password := c.ID, s.Reveal()
	if c.BasicEncoding != "raw" {
		id, password = url.QueryEscape(id), url.QueryEscape(password)
	}
	return base64.StdEncoding.EncodeToString([]byte(id + ":" + password))
}

// roundTrip sends req and reads at most limit bytes of the answer, counted after decompression: a small gzip can be a large body.
func roundTrip(hc *http.Client, req *http.Request, limit int64) (reply, error) {
	r := reply{endpoint: req.URL.String()}
	resp, err := hc.Do(req)
	if err != nil {
		return r, exchangeError(req.URL, err)
	}
	defer func() { _ = resp.Body.Close() }()
	r.status, r.header = resp.StatusCode, resp.Header
	r.body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if int64(len(r.body)) > limit {
		r.body, r.over = r.body[:limit], true
		return r, nil
	}
	if err != nil && r.status == http.StatusOK { // the status of a refusal says enough
		return r, exchangeError(req.URL, err)
	}
	return r, nil
}

func exchangeError(u *url.URL, err error) error {
	kind, cause := causeOf(err)
	return authz.E(kind, "ask %q: %s", u.Host, cause)
}

// readSecret reads the client secret once, and refuses what the method cannot carry.
func readSecret(c Client) (secret.Text, error) {
	s, err := c.Secret.Read()
	if err != nil {
		return secret.Text{}, fmt.Errorf("client.secret: %w", err)
	}
	if c.Auth == authBearer && strings.ContainsFunc(s.Reveal(), notInHeader) {
		return secret.Text{}, fmt.Errorf("client.secret: it holds characters that no bearer token has")
	}
	return s, nil
}

func notInHeader(r rune) bool { return r <= ' ' || r >= 0x7f }
