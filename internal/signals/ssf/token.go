package ssf

import (
	"context"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/fetch"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// tokenSource returns the access tokens for the API of the transmitter: the configured one, or one by the
// client_credentials grant (RFC 6749 section 4.4).
type tokenSource struct {
	configured secret.Source
	tokens     *fetch.Value[accessToken]
}

// accessToken is an access token and how long it is used.
type accessToken struct {
	text     secret.Text
	lifetime time.Duration
}

const (
	maxTokenLifetime = time.Hour
	renewEarly       = 10 * time.Second
)

// newTokenSource returns a source that gets tokens from the server of the issuer, where none is configured.
func newTokenSource(configured secret.Source, server *oauth.Server, scope []string) *tokenSource {
	return &tokenSource{configured, fetch.New(fetch.Config[accessToken]{
		Name: "get a token for the transmitter",
		Fetch: func(ctx context.Context) (accessToken, error) {
			t, lifetime, err := server.Token(ctx, scope)
			return accessToken{t, min(lifetime, maxTokenLifetime) - min(renewEarly, lifetime/2)}, err
		},
		Lifetime: func(t accessToken, began time.Time) (renew, end time.Time) {
			end = began.Add(t.lifetime)
			return end, end
		},
	})}
}

// token returns a token. A configured one is read each time, because it may have been replaced.
func (s *tokenSource) token(ctx context.Context) (secret.Text, error) {
	if !s.configured.IsZero() {
		t, err := s.configured.Read()
		if err != nil {
			return t, authz.Errorf(authz.Misconfigured, "read shared_signals.access_token: %v", err)
		}
		return t, nil
	}
	t, err := s.tokens.Get(ctx)
	return t.text, err
}

// forget forgets a token that the transmitter refused. It reports whether there may be another one.
func (s *tokenSource) forget(refused secret.Text) bool {
	if !s.configured.IsZero() {
		return false
	}
	s.tokens.Forget(func(t accessToken) bool { return t.text.Reveal() == refused.Reveal() })
	return true
}
