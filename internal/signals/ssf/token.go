package ssf

import (
	"context"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// tokenSource returns the access tokens for the API of the transmitter: the configured one, or those of the issuer's
// client.
type tokenSource struct {
	configured secret.Source
	granted    *oauth.TokenSource
}

// token returns a token. A configured one is read each time, because it may have been replaced.
func (s *tokenSource) token(ctx context.Context) (secret.Text, error) {
	if s.configured.IsZero() {
		return s.granted.Token(ctx)
	}
	t, err := s.configured.Read()
	if err != nil {
		return t, authz.Errorf(authz.Misconfigured, "read shared_signals.access_token: %v", err)
	}
	return t, nil
}

// reject forgets a token that the transmitter refused, and reports whether to try again with another one.
func (s *tokenSource) reject(refused secret.Text) bool {
	return s.configured.IsZero() && s.granted.Reject(refused)
}
