package events

import (
	"context"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/fetch"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

func (c SharedSignals) usesGrant() bool {
	return c.AccessToken.IsZero() && (c.manage() || c.Delivery == deliveryPoll)
}

// access gets the tokens that the transmitter is called with: from where they are kept, or by the client_credentials grant
// (RFC 6749 section 4.4).
type access struct {
	source secret.Source
	tokens *fetch.Value[granted]
}

// granted is an access token and how long it is used.
type granted struct {
	token secret.Text
	life  time.Duration
}

const (
	longestKept    = time.Hour
	renewedSoEarly = 10 * time.Second
)

// newAccess gets tokens from the server of the issuer, where source names none.
func newAccess(source secret.Source, server *oauth.Server, scope []string) *access {
	return &access{source, fetch.New(fetch.Config[granted]{
		Name: "get a token for the transmitter",
		Fetch: func(ctx context.Context) (granted, error) {
			t, life, err := server.Token(ctx, scope)
			return granted{t, min(life, longestKept) - min(renewedSoEarly, life/2)}, err
		},
		Lifetime: func(g granted, began time.Time) (renew, end time.Time) {
			end = began.Add(g.life)
			return end, end
		},
	})}
}

// get returns a token. A kept one is read each time, for it may have been changed.
func (a *access) get(ctx context.Context) (secret.Text, error) {
	if !a.source.IsZero() {
		t, err := a.source.Read()
		if err != nil {
			return t, authz.Errorf(authz.Misconfigured, "read shared_signals.access_token: %v", err)
		}
		return t, nil
	}
	g, err := a.tokens.Get(ctx)
	return g.token, err
}

// drop forgets the token that was refused. It reports whether there may be a better one.
func (a *access) drop(refused secret.Text) bool {
	if !a.source.IsZero() {
		return false
	}
	a.tokens.Forget(func(g granted) bool { return g.token.Reveal() == refused.Reveal() })
	return true
}
