//go:build real

package realtest

import (
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// sidecarEnds ends tokens in all ways without events: they end with the lifetime of the answer,
// or when a call evicts them.
func (k *keycloak) sidecarEnds(t *testing.T) {
	r := k.newRealm(t)
	const ttl = 300 * time.Millisecond
	short := r.sidecar(t, keycloakSidecar{ttl: ttl.String()})
	long := r.sidecar(t, keycloakSidecar{ttl: "1h"})
	for _, c := range []struct {
		name string
		end  func(t *testing.T, app oauthClient, u keycloakUser, s session)
		// evict names the tokens to the sidecar.
		evict func(app oauthClient, u keycloakUser, s session) map[string]any
		undo  func(t *testing.T, app oauthClient, u keycloakUser)
	}{
		{"user disabled", func(t *testing.T, _ oauthClient, u keycloakUser, _ session) { r.disableUser(t, u) },
			func(_ oauthClient, u keycloakUser, _ session) map[string]any { return map[string]any{"sub": u.id} },
			func(t *testing.T, _ oauthClient, u keycloakUser) { r.enableUser(t, u) }},
		{"session deleted", func(t *testing.T, _ oauthClient, _ keycloakUser,
			s session) {
			r.deleteSession(t, r.sid(t, s))
		},
			func(_ oauthClient, _ keycloakUser, s session) map[string]any {
				return map[string]any{"sid": r.sid(t, s)}
			}, nil},
		{"logout", func(t *testing.T, app oauthClient, _ keycloakUser, s session) { r.logout(t, app, s) },
			func(_ oauthClient, u keycloakUser, _ session) map[string]any {
				return map[string]any{"username": u.name}
			}, nil},
		{"token revoked", func(t *testing.T, app oauthClient, _ keycloakUser,
			s session) {
			r.revoke(t, app, s.access)
		},
			func(_ oauthClient, _ keycloakUser, s session) map[string]any {
				return map[string]any{"token": s.access}
			}, nil},
		{"user deleted", func(t *testing.T, _ oauthClient, u keycloakUser, _ session) { r.deleteUser(t, u) },
			func(app oauthClient, _ keycloakUser, _ session) map[string]any {
				return map[string]any{"client_id": app.id}
			}, nil},
		{"not-before of the client", func(t *testing.T, app oauthClient, _ keycloakUser, s session) {
			r.setClientNotBefore(t, app.id, r.claims(t, s.access, "JWT").IssuedAt+1)
		}, func(app oauthClient, _ keycloakUser, _ session) map[string]any {
			return map[string]any{"client_id": app.id}
		},
			func(t *testing.T, app oauthClient, _ keycloakUser) { r.setClientNotBefore(t, app.id, 0) }},
		{"not-before of the realm", func(t *testing.T, _ oauthClient, _ keycloakUser, s session) {
			r.setNotBefore(t, r.claims(t, s.access, "JWT").IssuedAt+1)
		}, func(oauthClient, keycloakUser, session) map[string]any {
			return map[string]any{"issuer": "keycloak", "all": true}
		},
			func(t *testing.T, _ oauthClient, _ keycloakUser) { r.setNotBefore(t, 0) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			// A client of its own: for a moment after one is evicted, what is known about its tokens is not kept for
			// long.
			app, u := r.newApp(t), r.newUser(t)
			s := r.userTokens(t, app, u, toRead)
			what := c.evict(app, u, s)
			short.expectOf(t, "with a short lifetime, before", s.access, allowed)
			long.expectOf(t, "with a long lifetime, before", s.access, allowed)
			c.end(t, app, u, s)
			begun := time.Now()
			for short.decide(t, get(s.access)).Allow {
				if time.Since(begun) > 5*time.Second {
					t.Fatal("with a short lifetime it is never refused")
				}
			}
			byTTL := time.Since(begun)
			if byTTL > ttl+200*time.Millisecond {
				t.Errorf("refused %v after the end, with a lifetime of %v", byTTL, ttl)
			}
			long.expectOf(t, "with a long lifetime, and no event", s.access, allowed)
			begun = time.Now()
			took := long.evict(t, what)
			long.expectOf(t, "after it is evicted", s.access, refused)
			byCall := time.Since(begun)
			tell(t, c.name, "refused after %d ms with ttl %v; %d ms from the call of evict, which takes %d ms",
				byTTL.Milliseconds(), ttl, byCall.Milliseconds(), took.Milliseconds())
			if c.undo != nil {
				c.undo(t, app, u)
				testkit.Within(t, 5*time.Second, "see the token allowed again",
					func() bool { return long.decide(t, get(s.access)).Allow })
			}
		})
	}
}
