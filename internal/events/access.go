package events

import (
	"context"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authserver"
	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

func (c SharedSignals) usesGrant() bool {
	return c.AccessToken.IsZero() && (c.manage() || c.Delivery == deliveryPoll)
}

// access gets the tokens that the transmitter is called with: from where they are kept, or by the client_credentials grant
// (RFC 6749 section 4.4).
type access struct {
	source secret.Source
	server *authserver.Server // of the issuer
	scope  []string

	mu    sync.Mutex
	token secret.Text
	until time.Time
}

const (
	longestKept    = time.Hour
	renewedSoEarly = 10 * time.Second
)

// get returns a token. A kept one is read each time, for it may have been changed.
func (a *access) get(ctx context.Context) (secret.Text, error) {
	if !a.source.IsZero() {
		t, err := a.source.Read()
		if err != nil {
			return t, authz.E(authz.Misconfigured, "read shared_signals.access_token: %v", err)
		}
		return t, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.token.Empty() && time.Now().Before(a.until) {
		return a.token, nil
	}
	began := time.Now()
	tok, lifetime, err := a.server.Token(ctx, a.scope)
	if err != nil {
		return secret.Text{}, err
	}
	a.token, a.until = tok, began.Add(min(lifetime, longestKept)-min(renewedSoEarly, lifetime/2))
	return a.token, nil
}

// drop forgets the token that was refused. It reports whether there may be a better one.
func (a *access) drop(refused secret.Text) bool {
	if !a.source.IsZero() {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token.Reveal() == refused.Reveal() {
		a.token = secret.Text{}
	}
	return true
}
