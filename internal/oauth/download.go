package oauth

import (
	"context"
	"maps"
	"net/http"
	"net/url"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Download is a request for a document.
type Download struct {
	URL    string
	Header http.Header
	// MaxBytes bounds the answer.
	MaxBytes int64
	// As says what proves who asks.
	As Proof
	// Token is that of AsBearer.
	Token secret.Text
	// Prepare is that of AsPrepared. Its error must be fit for a log.
	Prepare func(*http.Request) error
}

// Proof is what proves who asks for a document.
type Proof uint8

// The proofs.
const (
	// AsClient authenticates by client.auth.
	AsClient Proof = iota
	// Anonymous sends no credentials.
	Anonymous
	// AsBearer sends a token that another server gave for this request.
	AsBearer
	// AsPrepared leaves it to Prepare.
	AsPrepared
)

// CheckURL of Config is why a URL that a server named must not be asked, and what to do; "" when it may be.
func (c Config) CheckURL(raw string) (cause, hint string) { return c.problemOfURL(raw) }

// Download asks for a document. It follows no redirect. See Post for the error.
func (s *Server) Download(ctx context.Context, d Download) (r Reply, err error) {
	if s.tokens != nil && d.As == AsClient {
		return s.downloadWithToken(ctx, d)
	}
	s.identity.use(ctx, func(i identity) outcome {
		r, err = s.get(ctx, d, i)
		switch {
		case d.As == AsClient:
			return classifyReply(r, err, i)
		case err != nil && i.certificate != nil:
			return outcomeOfTLS(err)
		}
		return unknown
	})
	return r, s.describe(r, err)
}

// downloadWithToken is Download with an access token that the client gets first.
func (s *Server) downloadWithToken(ctx context.Context, d Download) (r Reply, err error) {
	d.As = AsBearer
	for range 2 {
		t, failed := s.tokens.current(ctx)
		if failed != nil {
			return Reply{Endpoint: d.URL}, failed
		}
		d.Token = t.token
		r, err = s.get(ctx, d, t.as)
		if !s.rejectsToken(t, r, err) || !s.tokens.Reject(t.token) {
			break
		}
	}
	return r, s.describe(r, err)
}

// get sends one request. Its error is that of net/http.
func (s *Server) get(ctx context.Context, d Download, i identity) (Reply, error) {
	return s.exchange(ctx, i, d.MaxBytes, func() (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.URL, nil)
		if err != nil {
			return nil, authz.Errorf(authz.Misconfigured, "download %q: the URL cannot be used", s.cfg.Name)
		}
		maps.Copy(req.Header, d.Header)
		switch d.As {
		case Anonymous:
		case AsBearer:
			req.Header.Set("Authorization", "Bearer "+d.Token.Reveal())
		case AsPrepared:
			if err := d.Prepare(req); err != nil {
				return nil, authz.Errorf(authz.Unavailable, "download %q: %s", s.cfg.Name, err.Error())
			}
		case AsClient:
			if err := s.auth.authenticate(s.cfg, i, req.Header, url.Values{}); err != nil {
				return nil, authz.Errorf(authz.Misconfigured, "download %q: %s", s.cfg.Name, err.Error())
			}
		}
		return req, nil
	})
}
