// Package authserver reaches one authorization server: where its endpoints are, whose word vouches for its certificate,
// how the sidecar shows who it is, and what an answer is allowed to cost.
//
// It knows nothing of tokens. What an endpoint is asked, and what its answer means, is for the packages above.
package authserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// Deps is what a Server needs from the rest of the program.
type Deps struct {
	// Needs are the endpoints that will be asked. Metadata that lacks one of them is no use.
	Needs []Endpoint
	// Log may be nil. Discovery and the rotation of credentials speak there; calls do not.
	Log *slog.Logger
	// Transport replaces the network when it is not nil.
	Transport http.RoundTripper
}

// Server is one authorization server as the sidecar reaches it. It is safe for concurrent use.
type Server struct {
	cfg         Config
	http        *http.Client
	credentials credentials
	discovery   *discovery
	close       func()
}

// New checks cfg, reads the secrets and the certificates that it names, and asks nobody: an authorization server that is
// down is no reason not to start. The error lists all faults.
func New(cfg Config, deps Deps) (*Server, error) {
	var faults []error
	cfg.Check(func(key, cause, _ string) { faults = append(faults, fmt.Errorf("%s: %s", key, cause)) })
	if len(faults) > 0 {
		return nil, fmt.Errorf("check issuer %q: %w", cfg.Name, errors.Join(faults...))
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, close: func() {}}
	var err error
	if s.credentials, err = readCredentials(cfg.Client); err != nil {
		return nil, fmt.Errorf("set up issuer %q: %w", cfg.Name, err)
	}
	rt := deps.Transport
	if rt == nil {
		t, err := newTransport(cfg)
		if err != nil {
			return nil, fmt.Errorf("set up issuer %q: %w", cfg.Name, err)
		}
		rt, s.close = t, t.CloseIdleConnections
	}
	s.http = newHTTPClient(rt)
	s.discovery = newDiscovery(cfg, deps.Needs, s.http, deps.Log)
	return s, nil
}

// Find returns the URL of an endpoint, which must be one of Needs. It waits only when it is not known yet.
// An error is an *authz.Error of kind Unavailable or Misconfigured.
func (s *Server) Find(ctx context.Context, e Endpoint) (string, error) {
	u, err := s.discovery.find(ctx, e)
	if err != nil {
		return "", withoutNature(err)
	}
	return u, nil
}

// Current is the URL of an endpoint as it is known now; empty when it is not.
func (s *Server) Current(e Endpoint) string { return s.discovery.current(e) }

// Warm discovers the endpoints, with pauses from 1 s to 30 s between attempts, until they are known or ctx ends. It
// returns at once when all are configured.
func (s *Server) Warm(ctx context.Context) { s.discovery.warm(ctx) }

// Close gives up discovery and closes the connections. Calls under way are not waited for.
func (s *Server) Close() {
	s.discovery.close()
	s.close()
}

// Post sends form to an endpoint of this server, authenticated by exactly one method (CA-1), and reads the answer. The
// Reply is filled as far as things went when there is an error too, which is an *authz.Error.
func (s *Server) Post(ctx context.Context, endpoint string, form url.Values, accept string) (Reply, error) {
	authorization := s.credentials.authenticate(form)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return Reply{Endpoint: endpoint}, authz.E(authz.Misconfigured, "ask issuer %q: the URL of its endpoint cannot be used", s.cfg.Name)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", userAgent)
	// Asking is safe to repeat. net/http reads this as leave to use a fresh connection when a kept one turns out to have been
	// closed by the server meanwhile; a nil value is not sent.
	req.Header["Idempotency-Key"] = nil
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	return roundTrip(s.http, req, s.cfg.MaxResponseBytes)
}

// Get reads a public document, such as a key set, of at most limit bytes. It carries no credentials. See Post.
func (s *Server) Get(ctx context.Context, from string, limit int64) (Reply, error) {
	return get(ctx, s.http, from, limit)
}

const userAgent = "sidecar"

func get(ctx context.Context, hc *http.Client, from string, limit int64) (Reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return Reply{Endpoint: from}, authz.E(authz.Misconfigured, "ask authorization server: a URL cannot be used")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", userAgent)
	return roundTrip(hc, req, limit)
}

// roundTrip sends req and reads at most limit bytes of the answer, counted after decompression: a small gzip can be a large body.
func roundTrip(hc *http.Client, req *http.Request, limit int64) (Reply, error) {
	r := Reply{Endpoint: req.URL.String()}
	resp, err := hc.Do(req)
	if err != nil {
		return r, exchangeError(req.URL, err)
	}
	defer func() { _ = resp.Body.Close() }()
	r.Status, r.Header = resp.StatusCode, resp.Header
	r.Body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if int64(len(r.Body)) > limit {
		r.Body, r.Over = r.Body[:limit], true
		return r, nil
	}
	if err != nil && r.Status == http.StatusOK { // the status of a refusal says enough
		return r, exchangeError(req.URL, err)
	}
	return r, nil
}

func exchangeError(u *url.URL, err error) error {
	kind, cause := causeOf(err)
	return &authz.Error{Kind: kind, Err: &Failure{Nature: natureOf(kind, err), text: fmt.Sprintf("ask %q: %s", u.Host, cause)}}
}
