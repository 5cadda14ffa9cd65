package events

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
)

// admin takes what Keycloak posts to the admin URL of a client: a bare JWS with claims that no JWT has. It names no issuer;
// that the keys of the realm signed it says which one it is.
type admin struct {
	cfg  KeycloakAdmin
	keys jose.KeySource
	sink *sink
}

const actionNotBefore = "PUSH_NOT_BEFORE"

// actionOf is the action that each path is for.
func actionOf(path string) string {
	return map[string]string{"k_push_not_before": actionNotBefore, "k_logout": "LOGOUT", "k_test_available": "TEST_AVAILABILITY"}[path]
}

func (a *admin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	action := actionOf(r.PathValue("action"))
	if action == "" {
		http.Error(w, "Keycloak is not known to post this", http.StatusNotFound)
		return
	}
	body, err := readBody(r, maxTokenBytes)
	if err == nil {
		err = a.take(r.Context(), body, action)
	}
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case unavailable(err):
		a.sink.fail(err)
		http.Error(w, "the message could not be judged or put in force", http.StatusServiceUnavailable)
	default:
		a.sink.fail(err)
		http.Error(w, "the message is not valid", http.StatusBadRequest)
	}
}

func (a *admin) take(ctx context.Context, raw, action string) error {
	t, err := jose.Verify(ctx, raw, jose.Expect{Types: []string{"JWT", ""}, Algorithms: a.cfg.Algorithms, MaxBytes: maxTokenBytes}, a.keys)
	if err != nil {
		return err
	}
	c, _ := jose.ReadClaims(t.Claims) // it is an object: the token has been verified
	id, _ := c.Name("id")
	said, _ := c.Text("action")
	resource, _ := c.Name("resource")
	now := a.sink.now()
	until, hasExpiry := moment(c, "expiration")
	switch {
	case said != action:
		err = errors.New("it is for another action")
	case resource != a.cfg.ClientID:
		err = errors.New("it is for another client")
	case !hasExpiry || !until.Add(leeway).After(now):
		err = errors.New("it has expired, or does not say when it does")
	case !identifier(id):
		err = errors.New("it has no usable id")
	case action == actionNotBefore && !c.Has("notBefore"):
		err = errors.New("it has no not-before")
	}
	if err != nil {
		return fmt.Errorf("check admin message: %w", err)
	}
	switch {
	case a.sink.seen.has(id):
		a.sink.pass(outcomeDuplicate, id, action)
		return nil
	case action == "TEST_AVAILABILITY":
		a.sink.pass(outcomeIgnored, id, action)
		return nil
	}
	if err := a.sink.evict(id, action, a.revocations(c, action, now)); err != nil {
		return err
	}
	a.sink.seen.add(id)
	return nil
}

const maxSessions = 1000

// revocations means the sessions that are named, or else every token: a message about a client and one about the realm
// look the same, and sessions of an adapter are not known here. A logout is of now, and does not say when that is at Keycloak.
func (a *admin) revocations(c jose.Claims, action string, now time.Time) []authz.Revocation {
	if action == actionNotBefore {
		at, ok := moment(c, "notBefore")
		switch {
		case !ok: // it was taken back: all are asked about, and none was issued before
			at = time.Unix(1, 0)
		case at.After(now.Add(leeway)): // it is no time of now, by any clock
			at = time.Time{}
		default: // a token of the very second of a not-before is good, says Keycloak
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
		if !ok || !identifier(id) {
			return all
		}
		out = append(out, authz.Revocation{SessionID: id})
	}
	return out
}
