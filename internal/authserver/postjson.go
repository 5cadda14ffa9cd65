package authserver

import (
	"bytes"
	"context"
	"net/http"
	"net/url"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// PostJSON is Post for an endpoint that wants JSON. A method of authentication that adds to a form cannot be used there.
func (s *Server) PostJSON(ctx context.Context, endpoint string, body []byte, accept string) (Reply, error) {
	form := url.Values{}
	authorization := s.credentials.authenticate(form)
	if len(form) > 0 {
		return Reply{Endpoint: endpoint}, authz.E(authz.Misconfigured, "ask issuer %q: client.auth %s needs a form, and this server takes JSON", s.cfg.Name, s.cfg.Client.Auth)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return Reply{Endpoint: endpoint}, authz.E(authz.Misconfigured, "ask issuer %q: the URL of its endpoint cannot be used", s.cfg.Name)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", userAgent)
	req.Header["Idempotency-Key"] = nil // see Post
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	return roundTrip(s.http, req, s.cfg.MaxResponseBytes)
}
