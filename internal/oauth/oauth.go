// Package oauth is the OAuth client of the sidecar: it reaches one authorization server. It discovers the endpoints,
// verifies the certificate of the server, authenticates the sidecar by one of several methods, rotates credentials,
// and bounds the size and the time of an answer.
//
// What an endpoint is asked about a token, and what the answer means, is for the packages above.
package oauth

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/httpclient"
)

// Deps is what a Server needs from the rest of the program.
type Deps struct {
	// Needs are the endpoints that will be asked. Metadata that lacks one of them is refused.
	Needs []Endpoint
	// Wants are endpoints that may be asked too. Metadata may lack them: then Server.Endpoint of such a one is an
	// error.
	Wants []Endpoint
	// Log may be nil. Discovery and the rotation of credentials are logged; requests are not.
	Log *slog.Logger
	// Transport replaces the network when it is not nil.
	Transport http.RoundTripper
}

// Server is one authorization server as the sidecar reaches it. It is safe for concurrent use.
type Server struct {
	cfg        Config
	auth       authMethod
	identity   *rotation[identity]
	trust      *rotation[*x509.CertPool]
	transports *transports
	discovery  *discovery
	tokens     *TokenSource // nil unless the client authenticates by a token that it gets first
}

// New checks cfg and reads the secrets and the certificates that it names. It sends no request: the sidecar starts
// also while an authorization server is down. The error lists all faults.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := conf.Validate(cfg); err != nil {
		return nil, fmt.Errorf("check issuer %q: %w", cfg.Name, err)
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	t := &transports{
		cfg:  httpclient.Config{Timeout: cfg.Timeout, Network: deps.Transport},
		open: map[transportKey]*httpclient.Client{},
	}
	s := &Server{cfg: cfg, auth: cfg.Client.method(), transports: t}
	var err, err2 error
	s.identity, err = newIdentity(cfg, s.auth, deps.Log, func(i identity) {
		t.closeIdle(func(k transportKey) bool { return i.certificate != nil && k.certificate == i.certificate })
	})
	s.trust, err2 = newTrust(cfg, deps.Log, func(roots *x509.CertPool) {
		t.closeIdle(func(k transportKey) bool { return k.roots == roots })
	})
	if err := errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("set up issuer %q: %w", cfg.Name, err)
	}
	needs := slices.Clone(deps.Needs)
	if cfg.Client.Auth == ClientCredentials {
		s.tokens = NewTokenSource(s, cfg.Client.Scope)
		if !slices.Contains(needs, TokenEndpoint) {
			needs = append(needs, TokenEndpoint)
		}
	}
	s.discovery = newDiscovery(cfg, needs, s.Get, deps.Log)
	s.discovery.addOptional(deps.Wants)
	return s, nil
}

// Endpoint returns the URL of an endpoint, which must be one of Needs or Wants. It waits only when it is not known
// yet. An error is an *authz.Error of kind Unavailable or Misconfigured.
func (s *Server) Endpoint(ctx context.Context, e Endpoint) (string, error) {
	u, err := s.discovery.url(ctx, e)
	if err != nil {
		return "", withoutReason(err)
	}
	if u == "" {
		return "", authz.Errorf(authz.Misconfigured, "discover issuer %q: the metadata names no %s that may be asked",
			s.cfg.Name, e)
	}
	return u, nil
}

// KnownEndpoint is the URL of an endpoint as it is known now; "" when it is not.
func (s *Server) KnownEndpoint(e Endpoint) string { return s.discovery.currentURL(e) }

// Warm discovers the endpoints, with pauses from 1 s to 30 s between attempts, until they are known or ctx ends. It
// returns at once when all are configured.
func (s *Server) Warm(ctx context.Context) { s.discovery.warm(ctx) }

// Close ends discovery and closes idle connections. It does not wait for requests under way.
func (s *Server) Close() {
	if s.tokens != nil {
		s.tokens.Close()
	}
	s.discovery.known.Close()
	s.transports.closeIdle(func(transportKey) bool { return true })
}

// Post sends form to an endpoint of this server, authenticated by exactly one method (CA-1), and reads the answer.
// When the server refuses the credentials, the request is sent again with other known ones that it may accept. The
// error is an *authz.Error; the Reply then holds what was read before it.
func (s *Server) Post(ctx context.Context, endpoint string, form url.Values, accept string) (Reply, error) {
	if form == nil {
		form = url.Values{}
	}
	return s.ask(ctx, question{endpoint: endpoint, accept: accept, form: form})
}

// PostJSON is Post for an endpoint that takes JSON. A method of authentication that adds to a form cannot be used
// there.
func (s *Server) PostJSON(ctx context.Context, endpoint string, body []byte, accept string) (Reply, error) {
	return s.ask(ctx, question{endpoint: endpoint, accept: accept, json: body})
}

// question is what is posted: a form, or JSON when there is no form. header is what authentication adds.
type question struct {
	endpoint, accept string
	form             url.Values
	json             []byte
	header           http.Header
}

func (s *Server) ask(ctx context.Context, q question) (Reply, error) {
	if s.tokens != nil {
		return s.postWithToken(ctx, q)
	}
	r, _, err := s.askAuthenticated(ctx, q)
	return r, err
}

// askAuthenticated authenticates q by the configured method, and returns the identity that it used.
func (s *Server) askAuthenticated(ctx context.Context, q question) (r Reply, as identity, err error) {
	s.identity.use(ctx, func(i identity) outcome {
		as = i
		var signed question
		if signed, err = s.sign(q, i); err != nil {
			r = Reply{Endpoint: q.endpoint}
			return unknown
		}
		r, err = s.post(ctx, i, signed)
		return classifyReply(r, err, i)
	})
	return r, as, s.describe(r, err)
}

// sign returns q with what proves the identity.
func (s *Server) sign(q question, i identity) (question, error) {
	if q.form == nil && s.auth.needsForm() {
		return q, authz.Errorf(authz.Misconfigured, "ask issuer %q: client.auth %s needs a form, and this server "+
			"takes JSON",
			s.cfg.Name, s.auth.name)
	}
	q.header, q.form = http.Header{}, maps.Clone(q.form)
	if err := s.auth.authenticate(s.cfg, i, q.header, q.form); err != nil {
		return q, authz.Errorf(authz.Misconfigured, "ask issuer %q: %s", s.cfg.Name, err.Error())
	}
	return q, nil
}

// post sends q as it is, over a connection that i authenticates when i has a certificate. Its error is that of
// net/http.
func (s *Server) post(ctx context.Context, i identity, q question) (Reply, error) {
	body, contentType := q.json, "application/json"
	if q.form != nil {
		body, contentType = []byte(q.form.Encode()), "application/x-www-form-urlencoded"
	}
	return s.exchange(ctx, i, s.cfg.MaxResponseBytes, func() (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, q.endpoint, bytes.NewReader(body))
		if err != nil {
			return nil, authz.Errorf(authz.Misconfigured, "ask issuer %q: the URL of its endpoint cannot be used",
				s.cfg.Name)
		}
		req.Header.Set("Content-Type", contentType)
		req.Header.Set("Accept", q.accept)
		// The request is safe to repeat. net/http then sends it over another connection when the server has closed the
		// kept one meanwhile; a nil value is not sent.
		req.Header["Idempotency-Key"] = nil
		maps.Copy(req.Header, q.header)
		return req, nil
	})
}

// Get reads a public document, such as a key set, of at most limit bytes. It carries no credentials, save that a
// client certificate is shown to a server that asks for one. See Post.
func (s *Server) Get(ctx context.Context, from string, limit int64) (r Reply, err error) {
	s.identity.use(ctx, func(i identity) outcome {
		r, err = s.exchange(ctx, i, limit, func() (*http.Request, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
			if err != nil {
				return nil, authz.Errorf(authz.Misconfigured, "ask authorization server: a URL cannot be used")
			}
			req.Header.Set("Accept", "application/json")
			return req, nil
		})
		if err != nil && i.certificate != nil {
			return outcomeOfTLS(err)
		}
		return unknown // the server did not look at the identity
	})
	return r, s.describe(r, err)
}

const userAgent = "sidecar"

// exchange sends the request over a connection to a server whose certificate one of the trusted authorities signed.
func (s *Server) exchange(
	ctx context.Context, i identity, limit int64, request func() (*http.Request, error),
) (r Reply, err error) {
	s.trust.use(ctx, func(roots *x509.CertPool) outcome {
		var req *http.Request
		if req, err = request(); err != nil {
			return unknown
		}
		req.Header.Set("User-Agent", userAgent)
		key := transportKey{i.certificate, roots}
		var a httpclient.Answer
		a, err = s.transports.client(key).Do(req, limit)
		r = Reply{
			Endpoint: req.URL.String(), Status: a.Status, Header: a.Header, Body: a.Body, Over: a.Over,
			encrypted: a.Encrypted,
		}
		if !r.Over {
			r.Body = bytes.TrimPrefix(r.Body, []byte("\ufeff"))
		}
		if err != nil && i.certificate != nil {
			// Other connections were opened with the same certificate at the same time. In TLS 1.3 a request that uses
			// one of them later reads a refusal that is old by then.
			s.transports.closeIdle(func(k transportKey) bool { return k == key })
		}
		return outcomeOfTrust(r, err)
	})
	return r, err
}

// describe makes an *authz.Error of an error of net/http. It quotes nothing of that error.
func (s *Server) describe(r Reply, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*authz.Error](err); ok {
		return err
	}
	if s.cfg.Client.ShowsCertificate() && isTLSAlert(err) {
		return authz.Errorf(authz.Misconfigured, "ask %q: it refuses the sidecar's certificate", r.host())
	}
	kind, cause := httpclient.Describe(err)
	failure := &Failure{Reason: reasonOf(kind, err), text: fmt.Sprintf("ask %q: %s", r.host(), cause)}
	return &authz.Error{Kind: kind, Err: failure}
}
