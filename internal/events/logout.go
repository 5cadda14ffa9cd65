package events

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

const (
	logoutEvent     = "http://schemas.openid.net/event/backchannel-logout"
	maxTokenBytes   = 64 << 10
	maxFormBytes    = maxTokenBytes + 4<<10
	maxLogoutsOfAge = 24 * time.Hour // between iat and now; all that bounds a token without exp
)

// logout takes logout tokens: OpenID Connect Back-Channel Logout 1.0.
type logout struct {
	cfg      BackChannelLogout
	sessions string
	issuer   string
	keys     jose.KeySource
	sink     *sink
	// decrypter is nil when no encrypted tokens are taken.
	decrypter *jose.Decrypter
}

// ServeHTTP answers as section 2.8 has it: 200, or 400 whatever went wrong.
func (l *logout) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	tok, err := logoutToken(r)
	if err == nil {
		err = l.take(r.Context(), tok)
	}
	if err == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	l.sink.fail(err)
	code, why := "invalid_request", err.Error()
	if unavailable(err) {
		code, why = "temporarily_unavailable", "the logout token could not be judged or put in force"
	}
	writeJSON(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": why})
}

// logoutToken reads the one parameter of the form.
func logoutToken(r *http.Request) (string, error) {
	if oauth.MediaType(r.Header) != "application/x-www-form-urlencoded" {
		return "", errors.New("read logout request: it is no form")
	}
	body, err := readBody(r, maxFormBytes)
	if err != nil {
		return "", err
	}
	form, err := url.ParseQuery(body)
	if err != nil || len(form["logout_token"]) != 1 {
		return "", errors.New("read logout request: it has not exactly one logout_token")
	}
	return form.Get("logout_token"), nil
}

// readBody returns a body of at most limit bytes. Its errors quote nothing.
func readBody(r *http.Request, limit int64) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	switch {
	case int64(len(b)) > limit:
		return "", fmt.Errorf("read event: it is over %d bytes", limit)
	case err != nil:
		return "", errors.New("read event: it broke off")
	}
	return string(b), nil
}

// take validates a logout token (BCL-2) and evicts.
func (l *logout) take(ctx context.Context, raw string) error {
	if h, err := jose.Peek(raw); err == nil && h.Encryption != "" && l.decrypter != nil {
		if raw, err = l.decrypter.Decrypt(raw); err != nil {
			return err
		}
	}
	t, err := jose.Verify(ctx, raw, jose.Expect{Types: []string{"logout+jwt", "JWT", ""}, Algorithms: l.cfg.Algorithms, MaxBytes: maxTokenBytes}, l.keys)
	if err != nil {
		return err
	}
	v, err := l.check(t.Claims)
	if err != nil {
		return fmt.Errorf("check logout token: %w", err)
	}
	if l.sink.seen.has(v.id) { // a repetition is answered as the original was, and does nothing more
		l.sink.pass(outcomeDuplicate, v.id, logoutEvent)
		return nil
	}
	if err := l.sink.evict(v.id, logoutEvent, l.revocations(v)); err != nil {
		return err
	}
	l.sink.seen.add(v.id)
	return nil
}

// ended is what a logout token says: section 2.4. Subject or session may be empty, and not both.
type ended struct {
	id, subject, session string
	at                   time.Time
}

// check holds the claims against sections 2.4 and 2.6. What bounds a token in time is its iat, and its exp where it has one:
// that became a duty in the final text, and Hydra and older servers leave it out.
func (l *logout) check(claims jsontext.Value) (ended, error) {
	c, ok := jose.ReadClaims(claims)
	if !ok {
		return ended{}, errors.New("it is no JSON object")
	}
	var v ended
	switch issuer, _ := c.Text("iss"); {
	case issuer != l.issuer:
		return v, errors.New("it is from another issuer")
	case !anyOf(c, "aud", l.cfg.Audience):
		return v, errors.New("it is for another audience")
	}
	for name, to := range map[string]*string{"jti": &v.id, "sub": &v.subject, "sid": &v.session} {
		var err error
		if *to, err = c.Name(name); err != nil {
			return v, err
		}
	}
	if err := l.timely(c, &v); err != nil {
		return v, err
	}
	switch {
	case c.Has("nonce"): // so that no ID token passes for a logout token
		return v, errors.New("it has a nonce")
	case c.Object("events").Value(logoutEvent).Kind() != '{':
		return v, errors.New("it holds no logout event")
	case !identifier(v.id):
		return v, errors.New("it has no usable jti")
	case v.subject == "" && v.session == "":
		return v, errors.New("it has neither sub nor sid")
	case v.subject != "" && !identifier(v.subject), v.session != "" && !identifier(v.session):
		return v, errIdentifier
	}
	return v, nil
}

// timely sees that a logout is of now, and fills in when it was.
func (l *logout) timely(c jose.Claims, v *ended) error {
	now := l.sink.now()
	var issued bool
	v.at, issued = moment(c, "iat")
	until, ends := moment(c, "exp")
	switch {
	case !issued || v.at.After(now.Add(leeway)) || v.at.Before(now.Add(-maxLogoutsOfAge)):
		return errors.New("it has no iat, or one that is not of now")
	case c.Has("exp") && !ends:
		return errors.New("its exp is no time")
	case ends && !until.Add(leeway).After(now):
		return errors.New("it has expired")
	}
	return nil
}

// revocations means the session, and the subject as well unless sessions are known: many servers leave sid out of their
// answers and their tokens (BCL-4), so that only the subject is left to find them by.
func (l *logout) revocations(v ended) []authz.Revocation {
	var out []authz.Revocation
	if v.session != "" {
		out = append(out, authz.Revocation{SessionID: v.session, At: v.at})
	}
	if v.subject != "" && (v.session == "" || l.sessions != sessionsKnown) {
		out = append(out, authz.Revocation{Subject: v.subject, OfSession: v.session, At: v.at})
	}
	return out
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b) // whoever asked is gone: nobody is left to tell
}
