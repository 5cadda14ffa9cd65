package sidecarclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/authz-sidecar/sidecar/sidecarclient/internal/strictjson"
)

// Client asks one sidecar. It is safe for concurrent use, and keeps connections; make one for the whole program.
type Client struct {
	transport http.RoundTripper
	decisions string // URL
	batches   string // URL; empty when Config.Entrypoint is set
	key       string
	timeout   time.Duration
	maxAnswer int64
}

// Decide asks about one request. A refusal is a Decision and no error.
//
// An error means that there is no decision, and the request must be refused: a *CallError when the call was wrong, and
// an *UnavailableError otherwise.
//
// Decide asks once. Only a kept connection that turns out to be closed before the first byte of an answer makes it ask
// again, on another connection. Should the sidecar have read the first call nonetheless, a DPoP proof in it counts as
// used, and the answer is unauthenticated.
func (c *Client) Decide(ctx context.Context, r Request) (Decision, error) {
	body, err := json.Marshal(r.wire())
	if err != nil {
		return Decision{}, badQuestion(err)
	}
	answer, err := c.call(ctx, c.decisions, body)
	if err != nil {
		return Decision{}, err
	}
	d, err := parseDecision(answer)
	if err != nil {
		return Decision{}, unavailable("read the decision of the sidecar", err)
	}
	return d, nil
}

// Batch asks about many requests at once, up to limits.batch_items of the sidecar (100). All are decided by one
// version of the policies; the decisions are in the order of the requests. Errors are those of Decide: one request
// that makes the call wrong leaves no decision at all.
func (c *Client) Batch(ctx context.Context, rs []Request) ([]Decision, error) {
	switch {
	case c.batches == "":
		return nil, errors.New("ask the sidecar: a batch knows the default entrypoint alone, and Config names another")
	case len(rs) == 0:
		return nil, nil
	}
	question := struct {
		Items []wireQuestion `json:"items"`
	}{make([]wireQuestion, len(rs))}
	for i, r := range rs {
		question.Items[i] = r.wire()
	}
	body, err := json.Marshal(question)
	if err != nil {
		return nil, badQuestion(err)
	}
	answer, err := c.call(ctx, c.batches, body)
	if err != nil {
		return nil, err
	}
	ds, err := parseBatch(answer, len(rs))
	if err != nil {
		return nil, unavailable("read the decisions of the sidecar", err)
	}
	return ds, nil
}

// call posts a question and returns the body of the 200 that answers it.
func (c *Client) call(ctx context.Context, url string, body []byte) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(onQuietConns(limited), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, unavailable("ask the sidecar", err)
	}
	r.Header.Set("Content-Type", "application/json")
	if c.key != "" {
		r.Header.Set("Authorization", "Bearer "+c.key)
	}
	// Never sent, as net/http documents: it lets the transport ask again where a kept connection was closed.
	r.Header["Idempotency-Key"] = nil
	// RoundTrip and no http.Client: a redirect is no decision, and there are no cookies.
	resp, err := c.transport.RoundTrip(r)
	if err != nil {
		return nil, unavailable("ask the sidecar", c.late(ctx, limited, err))
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, c.maxAnswer+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, refusedCall(resp, answer)
	case err != nil:
		return nil, unavailable("read the answer of the sidecar", c.late(ctx, limited, err))
	case int64(len(answer)) > c.maxAnswer:
		return nil, unavailable("read the answer of the sidecar", fmt.Errorf("it is over %d bytes", c.maxAnswer))
	}
	if err := strictjson.Check(answer); err != nil {
		return nil, unavailable("read the answer of the sidecar", err)
	}
	return answer, nil
}

// late says whose time was over: that of the caller, or that of the call.
func (c *Client) late(caller, limited context.Context, err error) error {
	switch {
	case caller.Err() != nil:
		return caller.Err()
	case limited.Err() != nil:
		return fmt.Errorf("no answer within %v: %w", c.timeout, limited.Err())
	}
	return err
}

// CloseIdleConnections closes the connections that are kept for the next calls.
func (c *Client) CloseIdleConnections() {
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
