package oauth

import (
	"context"
	"net/http"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// maxKeySetBytes bounds a key set. A dozen keys with their certificate chains are some 50 KiB.
const maxKeySetBytes = 1 << 20

// FetchKeys reads the JWK Set (RFC 7517 section 5) of the server, for a jose.KeySet. Its address is looked up each
// time: it may change. JWKS must be among Needs or Wants.
func (s *Server) FetchKeys(ctx context.Context) ([]byte, error) {
	from, err := s.Endpoint(ctx, JWKS)
	if err != nil {
		return nil, err
	}
	return s.FetchKeysFrom(ctx, from)
}

// FetchKeysFrom reads the JWK Set at a URL that this server, or a document of it, named.
func (s *Server) FetchKeysFrom(ctx context.Context, from string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	r, err := s.Get(ctx, from, maxKeySetBytes)
	switch {
	case err != nil:
		return nil, err
	case r.Status != http.StatusOK:
		return nil, r.Unexpected("no key set")
	case r.Over:
		return nil, r.Refuse(authz.Unavailable, "the key set is too large")
	}
	return r.Body, nil
}
