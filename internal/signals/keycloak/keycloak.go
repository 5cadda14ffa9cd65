// Package keycloak receives what Keycloak posts to the admin URL of a client: logouts and not-before times.
package keycloak

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/signals"
)

// Config is the client whose admin URL leads here.
type Config struct {
	ClientID   string   `yaml:"client_id" doc:"Client whose admin URL is /v1/events/NAME/keycloak of the admin listener. Empty accepts nothing."`
	Algorithms []string `yaml:"algorithms" default:"RS256" doc:"Accepted alg. Never none, never a shared secret."`
}

// On reports whether messages are accepted at all.
func (c Config) On() bool { return c.ClientID != "" }

// Words are the words of keys whose values are listed elsewhere.
func (c Config) Words(key string) []string { return signals.AlgorithmWords(key) }

// Check reports the problems that span keys.
func (c Config) Check(fault func(key, cause, hint string)) {
	if c.On() {
		signals.CheckAlgorithms(c.Algorithms, fault)
	}
}

// Receiver receives the admin messages of one realm. A message is a bare JWS with claims that no JWT has. It names no
// issuer; that a key of the realm signed it identifies the issuer.
type Receiver struct {
	cfg  Config
	keys jose.KeySource
	*signals.Recorder
}

// New returns the Receiver of cfg, which verifies messages with the keys of a realm.
func New(cfg Config, keys jose.KeySource, r *signals.Recorder) *Receiver {
	return &Receiver{cfg: cfg, keys: keys, Recorder: r}
}

const (
	actionNotBefore = "PUSH_NOT_BEFORE"
	actionLogout    = "LOGOUT"
	actionTest      = "TEST_AVAILABILITY"
)

// actionOf is the action of each path below the admin URL.
func actionOf(path string) string {
	return map[string]string{
		"k_push_not_before": actionNotBefore, "k_logout": actionLogout, "k_test_available": actionTest,
	}[path]
}

func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	action := actionOf(req.PathValue("action"))
	if action == "" {
		http.Error(w, "Keycloak is not known to post this", http.StatusNotFound)
		return
	}
	body, err := signals.ReadBody(req, signals.MaxTokenBytes)
	if err == nil {
		err = r.receive(req.Context(), body, action)
	}
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case signals.IsUnavailable(err):
		r.Reject(err)
		http.Error(w, "the message could not be judged or put in force", http.StatusServiceUnavailable)
	default:
		r.Reject(err)
		http.Error(w, "the message is not valid", http.StatusBadRequest)
	}
}

func (r *Receiver) receive(ctx context.Context, raw, action string) error {
	expect := jose.Expect{Types: []string{"JWT", ""}, Algorithms: r.cfg.Algorithms, MaxBytes: signals.MaxTokenBytes}
	t, err := jose.Verify(ctx, raw, expect, r.keys)
	if err != nil {
		return err
	}
	c, _ := jose.ReadClaims(t.Claims) // it is an object: the token has been verified
	id, _ := c.Name("id")
	signedAction, _ := c.Text("action")
	resource, _ := c.Name("resource")
	now := r.Now()
	expires, hasExpiry := signals.Time(c, "expiration")
	switch {
	case signedAction != action:
		err = errors.New("it is for another action")
	case resource != r.cfg.ClientID:
		err = errors.New("it is for another client")
	case !hasExpiry || !expires.Add(signals.ClockSkew).After(now):
		err = errors.New("it has expired, or does not say when it does")
	case !signals.IsIdentifier(id):
		err = errors.New("it has no usable id")
	case action == actionNotBefore && !c.Has("notBefore"):
		err = errors.New("it has no not-before")
	}
	if err != nil {
		return fmt.Errorf("check admin message: %w", err)
	}
	switch {
	case r.Seen(id):
		r.Pass(signals.Duplicate, id, action)
		return nil
	case action == actionTest:
		r.Pass(signals.Ignored, id, action)
		return nil
	}
	if err := r.Evict(id, action, revocations(c, action, now)); err != nil {
		return err
	}
	r.Remember(id)
	return nil
}

const maxSessions = 1000

// revocations returns the sessions that a message names, or else every token: a message about a client and one about
// the realm look the same, and the sessions of adapters are not known here. A logout happens now and names no time.
func revocations(c jose.Claims, action string, now time.Time) []authz.Revocation {
	if action == actionNotBefore {
		at, ok := signals.Time(c, "notBefore")
		switch {
		case !ok: // the not-before was removed: all are asked about, and none was issued before
			at = time.Unix(1, 0)
		case at.After(now.Add(signals.ClockSkew)): // too far in the future for a clock skew
			at = time.Time{}
		default: // Keycloak accepts a token of the very second of a not-before
			at = at.Add(-time.Second)
		}
		return []authz.Revocation{{All: true, At: at}}
	}
	all := []authz.Revocation{{All: true}}
	ids, _ := jose.List(c.Value("keycloakSessionIds"))
	if len(ids) == 0 || len(ids) > maxSessions {
		return all
	}
	var out []authz.Revocation
	for _, v := range ids {
		id, ok := jose.Text(v)
		if !ok || !signals.IsIdentifier(id) {
			return all
		}
		out = append(out, authz.Revocation{SessionID: id})
	}
	return out
}
