//go:build real

package realtest

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// oauthClient is a client of an authorization server that authenticates with client_secret_basic.
type oauthClient struct{ id, secret string }

// post sends a form and returns the body of the answer, which must have one of the statuses.
func (c oauthClient) post(t *testing.T, endpoint string, form url.Values, statuses ...int) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(c.id), url.QueryEscape(c.secret))
	resp, err := client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statuses {
		if resp.StatusCode == s {
			return body
		}
	}
	t.Fatalf("post to %s as %s: %s: %s", endpoint, c.id, resp.Status, body)
	return nil
}

// tokens asks a token endpoint and puts what it gets into v.
func (c oauthClient) tokens(t *testing.T, v vault, endpoint string, form url.Values) session {
	t.Helper()
	var got struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		ID      string `json:"id_token"`
	}
	if err := json.Unmarshal(c.post(t, endpoint, form, http.StatusOK), &got); err != nil || got.Access == "" {
		t.Fatalf("ask %s for a token: %v", endpoint, err)
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
