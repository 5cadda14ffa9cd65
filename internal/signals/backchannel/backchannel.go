// Package backchannel receives logout tokens: OpenID Connect Back-Channel Logout 1.0.
package backchannel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/signals"
)

const (
	logoutEvent  = "http://schemas.openid.net/event/backchannel-logout"
	maxFormBytes = signals.MaxTokenBytes + 4<<10
	maxAge       = 24 * time.Hour // by iat: the only bound of a token without exp
)

// Deps is what a Receiver works with.
type Deps struct {
	// Issuer is the issuer identifier whose logout tokens are accepted.
	Issuer string
	// Sessions is signals.SessionsKnown when the answers of the issuer name the session of a token.
	Sessions string
	Keys     jose.KeySource
	Recorder *signals.Recorder
}

// Receiver receives the logout tokens of one issuer.
type Receiver struct {
	cfg       Config
	deps      Deps
	decrypter *jose.Decrypter // nil when encrypted tokens are refused
	*signals.Recorder
}

// New returns the Receiver of cfg. It reads the decryption key.
func New(cfg Config, deps Deps) (*Receiver, error) {
	d, err := jose.NewDecrypter(cfg.DecryptionKey, cfg.EncryptionAlgorithms, cfg.EncryptionEncodings)
	if err != nil {
		return nil, fmt.Errorf("backchannel_logout.decryption_key: %w", err)
	}
	return &Receiver{cfg: cfg, deps: deps, decrypter: d, Recorder: deps.Recorder}, nil
}

// ServeHTTP answers as section 2.8 has it: 200, or 400 whatever went wrong.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	tok, err := logoutToken(req)
	if err == nil {
		err = r.receive(req.Context(), tok)
	}
	if err == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	r.Reject(err)
	code, cause := "invalid_request", err.Error()
	if signals.IsUnavailable(err) {
		code, cause = "temporarily_unavailable", "the logout token could not be judged or put in force"
	}
	signals.WriteJSON(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": cause})
}

// logoutToken reads the one parameter of the form.
func logoutToken(r *http.Request) (string, error) {
	if oauth.MediaType(r.Header) != "application/x-www-form-urlencoded" {
		return "", errors.New("read logout request: it is no form")
	}
	body, err := signals.ReadBody(r, maxFormBytes)
	if err != nil {
		return "", err
	}
	form, err := url.ParseQuery(body)
	if err != nil || len(form["logout_token"]) != 1 {
		return "", errors.New("read logout request: it has not exactly one logout_token")
	}
	return form.Get("logout_token"), nil
}

// receive validates a logout token (BCL-2) and evicts.
func (r *Receiver) receive(ctx context.Context, raw string) error {
	if h, err := jose.Peek(raw); err == nil && h.Encryption != "" && r.decrypter != nil {
		if raw, err = r.decrypter.Decrypt(raw); err != nil {
			return err
		}
	}
	expect := jose.Expect{
		Types: []string{"logout+jwt", "JWT", ""}, Algorithms: r.cfg.Algorithms, MaxBytes: signals.MaxTokenBytes,
	}
	t, err := jose.Verify(ctx, raw, expect, r.deps.Keys)
	if err != nil {
		return err
	}
	v, err := r.check(t.Claims)
	if err != nil {
		return fmt.Errorf("check logout token: %w", err)
	}
	if r.Seen(v.id) { // a repetition is answered as the original was
		r.Pass(signals.Duplicate, v.id, logoutEvent)
		return nil
	}
	if err := r.Evict(v.id, logoutEvent, r.revocations(v)); err != nil {
		return err
	}
	r.Remember(v.id)
	return nil
}

// logout is what a logout token says: section 2.4. Subject or session may be empty, and not both.
type logout struct {
	id, subject, session string
	at                   time.Time
}

// check validates the claims by sections 2.4 and 2.6. A token is bounded in time by its iat, and by its exp where it
// has one: the final text requires exp, and Hydra and older servers leave it out.
func (r *Receiver) check(claims jsontext.Value) (logout, error) {
	c, ok := jose.ReadClaims(claims)
	if !ok {
		return logout{}, errors.New("it is no JSON object")
	}
	var v logout
	switch issuer, _ := c.Text("iss"); {
	case issuer != r.deps.Issuer:
		return v, errors.New("it is from another issuer")
	case !signals.HasAny(c, "aud", r.cfg.Audience):
		return v, errors.New("it is for another audience")
	}
	for name, to := range map[string]*string{"jti": &v.id, "sub": &v.subject, "sid": &v.session} {
		var err error
		if *to, err = c.Name(name); err != nil {
			return v, err
		}
	}
	if err := r.checkTime(c, &v); err != nil {
		return v, err
	}
	switch {
	case c.Has("nonce"): // which ID tokens have, and logout tokens must not
		return v, errors.New("it has a nonce")
	case c.Object("events").Value(logoutEvent).Kind() != '{':
		return v, errors.New("it holds no logout event")
	case !signals.IsIdentifier(v.id):
		return v, errors.New("it has no usable jti")
	case v.subject == "" && v.session == "":
		return v, errors.New("it has neither sub nor sid")
	case v.subject != "" && !signals.IsIdentifier(v.subject), v.session != "" && !signals.IsIdentifier(v.session):
		return v, signals.ErrIdentifier
	}
	return v, nil
}

// checkTime refuses a token that is not of now, and sets when the logout was.
func (r *Receiver) checkTime(c jose.Claims, v *logout) error {
	now := r.Now()
	var issued bool
	v.at, issued = signals.Time(c, "iat")
	expires, hasExpiry := signals.Time(c, "exp")
	switch {
	case !issued || v.at.After(now.Add(signals.ClockSkew)) || v.at.Before(now.Add(-maxAge)):
		return errors.New("it has no iat, or one that is not of now")
	case c.Has("exp") && !hasExpiry:
		return errors.New("its exp is no time")
	case hasExpiry && !expires.Add(signals.ClockSkew).After(now):
		return errors.New("it has expired")
	}
	return nil
}

// revocations returns the session, and the subject as well unless sessions are known: many servers leave sid out of
// their answers and their tokens (BCL-4), which then can be found by the subject only.
func (r *Receiver) revocations(v logout) []authz.Revocation {
	var out []authz.Revocation
	if v.session != "" {
		out = append(out, authz.Revocation{SessionID: v.session, At: v.at})
	}
	if v.subject != "" && (v.session == "" || r.deps.Sessions != signals.SessionsKnown) {
		out = append(out, authz.Revocation{Subject: v.subject, OfSession: v.session, At: v.at})
	}
	return out
}
