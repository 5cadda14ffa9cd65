package events

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

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
	usualLifetime  = time.Minute // when the server does not say
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
	endpoint, err := a.server.Find(ctx, authserver.TokenEndpoint)
	if err != nil {
		return secret.Text{}, err
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(a.scope) > 0 {
		form.Set("scope", strings.Join(a.scope, " "))
	}
	began := time.Now()
	r, err := a.server.Post(ctx, endpoint, form, "application/json")
	if err != nil {
		return secret.Text{}, err
	}
	lifetime, err := a.read(r)
	if err != nil {
		return secret.Text{}, err
	}
	a.until = began.Add(lifetime - min(renewedSoEarly, lifetime/2))
	return a.token, nil
}

// read takes the token out of an answer (RFC 6749 section 5.1), and returns how long it lives.
func (a *access) read(r authserver.Reply) (time.Duration, error) {
	var body struct {
		Token   string  `json:"access_token"`
		Type    string  `json:"token_type"`
		Expires float64 `json:"expires_in"`
	}
	switch {
	case r.Status == http.StatusTooManyRequests || r.Status >= 500:
		return 0, r.Refuse(authz.Unavailable, "no access token")
	case r.Status != http.StatusOK:
		return 0, r.Refuse(authz.Misconfigured, "no access token for the stream: may this client use the client_credentials grant and the scopes of shared_signals.scope?")
	case r.Over || !r.IsJSON() || json.Unmarshal(r.Body, &body) != nil:
		return 0, r.Refuse(authz.Unavailable, "the token response cannot be read")
	case !strings.EqualFold(body.Type, "Bearer"):
		return 0, r.Refuse(authz.Misconfigured, "the access token is not of type Bearer")
	case body.Token == "" || strings.ContainsFunc(body.Token, func(c rune) bool { return c <= ' ' || c >= 0x7f }):
		return 0, r.Refuse(authz.Unavailable, "the access token cannot be sent")
	}
	a.token = secret.New(body.Token)
	if body.Expires > 0 && body.Expires < longestKept.Seconds() {
		return time.Duration(body.Expires * float64(time.Second)), nil
	}
	if body.Expires > 0 {
		return longestKept, nil
	}
	return usualLifetime, nil
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
