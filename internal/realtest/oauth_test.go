//go:build real

package realtest

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// oauthClient is a client of an authorization server that authenticates with client_secret_basic.
type oauthClient struct{ id, secret string }

// call is a form that is posted. Its zero members are the usual ones.
type call struct {
	http     *http.Client
	endpoint string
	header   http.Header
	form     url.Values
	// as authenticates the call by a secret, when it has an id.
	as oauthClient
}

// reply is what came of a call.
type reply struct {
	status      int
	contentType string
	body        []byte
}

func (c call) do(t *testing.T) reply {
	t.Helper()
	// Not ended with the test: what it changed is changed back at its end.
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, c.endpoint,
		strings.NewReader(c.form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, c.header)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c.as.id != "" {
		req.SetBasicAuth(url.QueryEscape(c.as.id), url.QueryEscape(c.as.secret))
	}
	return send(t, c.http, req)
}

// send makes a request by c, or as usual when that is nil.
func send(t *testing.T, c *http.Client, req *http.Request) reply {
	t.Helper()
	if c == nil {
		c = client()
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header.Get("Content-Type"), body}
}

// want makes the call and returns the body of the answer, which must have one of the statuses.
func (c call) want(t *testing.T, statuses ...int) []byte {
	t.Helper()
	r := c.do(t)
	if !slices.Contains(statuses, r.status) {
		t.Fatalf("post to %s as %s: status %d: %s", c.endpoint, c.as.id, r.status, r.body)
	}
	return r.body
}

// post sends a form and returns the body of the answer, which must have one of the statuses.
func (c oauthClient) post(t *testing.T, endpoint string, form url.Values, statuses ...int) []byte {
	t.Helper()
	return call{endpoint: endpoint, form: form, as: c}.want(t, statuses...)
}

// tokens asks a token endpoint and puts what it gets into v.
func (c oauthClient) tokens(t *testing.T, v vault, endpoint string, form url.Values) session {
	t.Helper()
	return call{endpoint: endpoint, form: form, as: c}.tokens(t, v)
}

// tokens makes a call to a token endpoint and puts what it gets into v.
func (c call) tokens(t *testing.T, v vault) session {
	t.Helper()
	var got struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		ID      string `json:"id_token"`
	}
	if err := json.Unmarshal(c.want(t, http.StatusOK), &got); err != nil || got.Access == "" {
		t.Fatalf("ask %s for a token: %v", c.endpoint, err)
	}
	v.keep("access token", got.Access)
	if got.Refresh != "" {
		v.keep("refresh token", got.Refresh)
	}
	if got.ID != "" {
		v.keep("ID token", got.ID)
	}
	return session{got.Access, got.Refresh, got.ID}
}
