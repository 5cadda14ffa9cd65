//go:build real

package realtest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// streamAuthorization is what the transmitter shows with each push.
const streamAuthorization = "Bearer of the stream of the tests"

// effectWithin is how soon an event takes effect once it has arrived, on a busy machine too. An idle one takes some 50
// ms, which the table tells; without the event it would be the lifetime of an answer in the cache, an hour.
const effectWithin = 3 * time.Second

func addressOf(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// checkEffect compares how soon a token was refused after an event had come. What is asked after the answer to the
// event must not be decided by what was known before; the server itself may need a moment to mean what it says.
func checkEffect(t *testing.T, what string, begun time.Time, p passage, first time.Time) {
	t.Helper()
	if d := first.Sub(p.came); d < 0 || d > effectWithin {
		t.Errorf("%s: refused %v after the event came, want %v", what, d, effectWithin)
	}
	tell(t, what,
		"%d ms from the call to Keycloak, %d ms from the arrival of the event, which is in force after %d ms",
		first.Sub(begun).Milliseconds(), first.Sub(p.came).Milliseconds(), p.answered.Sub(p.came).Milliseconds())
}

// sidecarBackchannelLogout ends sessions while their tokens are in use.
func (k *keycloak) sidecarBackchannelLogout(t *testing.T) {
	const path = "/v1/events/keycloak/backchannel-logout"
	for _, mode := range []string{"introspect", "jwt", "jwt_then_introspect"} {
		t.Run(mode, func(t *testing.T) {
			app, u, other := k.newApp(t), k.newUser(t), k.newUser(t)
			port := freePort(t)
			to := newRelay(t, port)
			k.setBackchannelLogout(t, app.id, to.URL+path)
			sc := k.sidecar(t, keycloakSidecar{ttl: "1h", admin: port, issuer: "    mode: " + mode, more: fmt.Sprintf(
				"events: [{issuer: keycloak, sessions: known, backchannel_logout: {audience: [%q]}}]", app.id)})
			bystander, theirs := k.userTokens(t, app, u, toRead), k.userTokens(t, app, other, toRead)
			ends := map[string]func(s session){
				"logout": func(s session) { k.logout(t, app, s) },
			}
			if mode == "introspect" {
				ends["session deleted"] = func(s session) { k.deleteSession(t, k.sid(t, s)) }
				ends["logout, and a new login"] = func(s session) {
					k.logout(t, app, s)
					k.userTokens(t, app, u,
						toRead)
				}
			}
			for name, end := range ends {
				s := k.userTokens(t, app, u, toRead)
				var begun time.Time
				first := sc.endUnderLoad(t, 5*time.Second, k.active, func() { begun = time.Now(); end(s) }, s.access,
					bystander.access, theirs.access)
				p := to.await(t, begun, "the logout token", func(p passage) bool { return p.path == path })
				if p.status != http.StatusOK {
					t.Errorf("the logout token is answered with %d", p.status)
				}
				checkEffect(t, fmt.Sprintf("back-channel logout, %s, %s", mode, name), begun, p, first)
			}
		})
	}
}

// sidecarAdminURL lets Keycloak call the sidecar at the admin URL of a client.
func (k *keycloak) sidecarAdminURL(t *testing.T) {
	for _, mode := range []string{"introspect", "jwt"} {
		t.Run(mode, func(t *testing.T) {
			r, port := k.newRealm(t), freePort(t)
			to := newRelay(t, port)
			r.setAdminURL(t, r.api.id, to.URL+"/v1/events/keycloak/keycloak")
			ended := func(what, action string, token string, end func(sc *sidecar) time.Time) {
				t.Run(what, func(t *testing.T) {
					// Each with a sidecar of its own, which does not ask again because of what was before.
					sc := r.sidecar(t, keycloakSidecar{ttl: "1h", admin: port, issuer: "    mode: " + mode,
						more: fmt.Sprintf(
							"events: [{issuer: keycloak, keycloak_admin: {client_id: %q}}]", r.api.id)})
					var begun time.Time
					first := sc.endUnderLoad(t, 5*time.Second, r.active, func() { begun = end(sc) }, token)
					p := to.await(t, begun, action,
						func(p passage) bool { return strings.HasSuffix(p.path, "/"+action) })
					if p.status != http.StatusNoContent {
						t.Errorf("%s is answered with %d", action, p.status)
					}
					checkEffect(t, fmt.Sprintf("%s, %s", what, mode), begun, p, first)
				})
			}
			token := r.userTokens(t, r.app, r.alice, toRead).access
			ended("k_logout", "k_logout", token, func(*sidecar) time.Time {
				begun := time.Now()
				r.logoutAll(t)
				return begun
			})
			// That sets a not-before as well. The second of it is over when the next token is there.
			testkit.Within(t, 5*time.Second, "get a token after the logout of all", func() bool {
				token = r.userTokens(t, r.app, r.alice, toRead).access
				return r.active(t, token)
			})
			later := r.claims(t, token, "JWT").IssuedAt + 1
			ended("k_push_not_before", "k_push_not_before", token, func(sc *sidecar) time.Time {
				r.setNotBefore(t, later)
				sc.expectOf(t, "a not-before without an event", token, allowed)
				begun := time.Now()
				r.pushNotBefore(t)
				return begun
			})
		})
	}
}

// receives makes orders-api one who may have a stream of Shared Signals.
func (r *keycloakRealm) receives(t *testing.T, push string) ssfReceiver {
	t.Helper()
	path := r.clientPath(t, r.api.id)
	r.change(t, path, map[string]any{"serviceAccountsEnabled": true, "attributes": map[string]any{
		"ssf.enabled": "true", "ssf.validPushUrls": push + "/*", "ssf.defaultSubjects": "ALL",
	}})
	r.giveScope(t, r.api.id, "optional", "ssf.read", "ssf.manage")
	return ssfReceiver{r, r.api}
}

// giveScope adds client scopes to a client, as default or optional ones.
func (r *keycloakRealm) giveScope(t *testing.T, id, as string, scopes ...string) {
	t.Helper()
	for _, s := range scopes {
		r.admin(t, http.MethodPut, r.scopePath(t, id, as, s), nil, http.StatusNoContent)
	}
}

// scopePath is where administrators find one of the scopes of a client.
func (r *keycloakRealm) scopePath(t *testing.T, id, as, scope string) string {
	t.Helper()
	for _, s := range decode[[]struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}](t, r.admin(t, http.MethodGet, "/client-scopes", nil, http.StatusOK)) {
		if s.Name == scope {
			return r.clientPath(t, id) + "/" + as + "-client-scopes/" + s.ID
		}
	}
	t.Fatalf("there is no client scope %s", scope)
	return ""
}

// awaitStream waits until the stream of a sidecar is up and verified.
func (sc *sidecar) awaitStream(t *testing.T) streamState {
	t.Helper()
	var got streamState
	testkit.Within(t, 20*time.Second, "see the stream up and verified", func() bool {
		got = sc.stream(t)
		return got.State == "up" && got.Status == "enabled" && !got.Verified.IsZero() && got.Problem == ""
	})
	return got
}

func (k *keycloak) sidecarPush(t *testing.T) {
	r, port := k.newRealm(t), freePort(t)
	to := newRelay(t, port)
	s := r.receives(t, to.URL)
	const path = "/v1/events/keycloak/shared-signals"
	set := keycloakSidecar{ttl: "1h", admin: port, more: fmt.Sprintf(`events:
  - issuer: keycloak
    sessions: known
    shared_signals: {delivery: push, endpoint_url: %q, authorization: {env: STREAM_AUTHORIZATION}}
`, to.URL+path)}
	var made streamState
	t.Run("a stream is made and verified, and its events take effect", func(t *testing.T) {
		sc := r.sidecar(t, set)
		begun := time.Now()
		made = sc.awaitStream(t)
		tell(t, "Shared Signals, push", "up and verified %v after the start",
			time.Since(begun).Round(time.Millisecond))
		if all := s.streams(t); len(all) != 1 || all[0].ID != made.ID || all[0].Delivery.Endpoint != to.URL+path {
			t.Errorf("the streams are %+v, want one, %s", all, made.ID)
		}
		r.endBySignals(t, sc, func(begun time.Time, kind string) passage {
			return to.await(t, begun, kind, func(p passage) bool {
				return p.path == path && p.status == http.StatusAccepted &&
					r.event(t, string(p.body)).Events[kind] != nil
			})
		})
	})
	t.Run("the next start has the same stream", func(t *testing.T) {
		sc := r.sidecar(t, set)
		if again := sc.awaitStream(t); again.ID != made.ID || len(s.streams(t)) != 1 {
			t.Errorf("the stream is %s of %d, want %s, and no other", again.ID, len(s.streams(t)), made.ID)
		}
		sc.expectOf(t, "a token", r.userTokens(t, r.app, r.alice, toRead).access, allowed)
	})
	s.deleteStream(t, made.ID)
}

// endBySignals ends tokens of which Shared Signals inform. sent is when an event came; nil where that cannot be
// observed.
func (r *keycloakRealm) endBySignals(t *testing.T, sc *sidecar, sent func(begun time.Time, kind string) passage) {
	t.Helper()
	how := "polled"
	if sent != nil {
		how = "pushed"
	}
	theirs := r.userTokens(t, r.app, r.newUser(t), toRead).access
	// Each with a user of its own, of whose tokens what is known is kept as ever.
	check := func(what, kind string, end func(u keycloakUser, s session) time.Time) {
		t.Helper()
		u := r.newUser(t)
		mine := r.userTokens(t, r.app, u, toRead)
		var begun time.Time
		first := sc.endUnderLoad(t, 10*time.Second, r.active, func() { begun = end(u, mine) }, mine.access, theirs)
		if sent == nil {
			tell(t, what+", "+how, "%d ms from the call to Keycloak", first.Sub(begun).Milliseconds())
			return
		}
		checkEffect(t, what+", "+how, begun, sent(begun, kind), first)
	}
	check("session-revoked", sessionRevoked, func(_ keycloakUser, s session) time.Time {
		begun := time.Now()
		r.logout(t, r.app, s)
		return begun
	})
	check("session-revoked of all", sessionRevoked, func(u keycloakUser, _ session) time.Time {
		begun := time.Now()
		r.logoutUser(t, u)
		return begun
	})
	// A change of the password alone ends no token of Keycloak. One who is disabled as well shows that Keycloak was
	// asked.
	check("credential-change", credentialChange, func(u keycloakUser, s session) time.Time {
		r.disableUser(t, u)
		sc.expectOf(t, "a disabled user, without an event", s.access, allowed)
		begun := time.Now()
		r.changePassword(t, u)
		return begun
	})
}

func (k *keycloak) sidecarPoll(t *testing.T) {
	r := k.newRealm(t)
	s := r.receives(t, nowhere)
	set := keycloakSidecar{ttl: "1h", more: `events:
  - {issuer: keycloak, sessions: known, shared_signals: {delivery: poll, poll_every: 200ms}}
`}
	var made streamState
	t.Run("a stream is made and verified, and its events take effect", func(t *testing.T) {
		sc := r.sidecar(t, set)
		begun := time.Now()
		made = sc.awaitStream(t)
		tell(t, "Shared Signals, poll", "up and verified %v after the start",
			time.Since(begun).Round(time.Millisecond))
		r.endBySignals(t, sc, nil)
		testkit.Within(t, 5*time.Second, "see that all events are acknowledged", func() bool {
			for _, stream := range s.streams(t) {
				if len(s.poll(t, stream)) > 0 {
					return false
				}
			}
			return true
		})
	})
	t.Run("the next start has the same stream", func(t *testing.T) {
		sc := r.sidecar(t, set)
		if again := sc.awaitStream(t); again.ID != made.ID || len(s.streams(t)) != 1 {
			t.Errorf("the stream is %s of %d, want %s, and no other", again.ID, len(s.streams(t)), made.ID)
		}
		sc.expectOf(t, "a token", r.userTokens(t, r.app, r.alice, toRead).access, allowed)
	})
	s.deleteStream(t, made.ID)
}
