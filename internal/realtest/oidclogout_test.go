//go:build real

package realtest

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestOIDCProviderLogout ends a session at node oidc-provider while its token is in use, and is kept for an hour.
func TestOIDCProviderLogout(t *testing.T) {
	const path = "/v1/events/oidc-provider/backchannel-logout"
	v, port := vault{}, freePort(t)
	to := newRelay(t, port)
	p := startOIDCProvider(t, v, to.URL+path)
	s := p.asAPI("")
	s.issuer, s.admin = strings.Replace(s.issuer, "ttl: 1s", "ttl: 1h", 1), port
	s.more = `events: [{issuer: oidc-provider, sessions: known, backchannel_logout: {audience: [orders-web]}}]`
	sc := startSidecar(t, v, s)
	active := func(t *testing.T, token string) bool { return p.told(t, call{as: p.api}, token).Active }

	b, over := p.loginAt(t)
	_, elsewhere := p.loginAt(t) // the same user, in another browser
	var begun time.Time
	first := sc.endUnderLoad(t, 5*time.Second, active, func() { begun = time.Now(); p.endSession(t, b, over) },
		over.access, elsewhere.access)
	logout := to.await(t, begun, "the logout token", func(p passage) bool { return p.path == path })
	if logout.status != http.StatusOK {
		t.Errorf("the logout token is answered with %d", logout.status)
	}
	t.Logf("felt %v after the logout token came", first.Sub(logout.came).Round(time.Millisecond))

	// An event proves nothing: a token with offline_access outlives the session, and the logout token is sent all the
	// same.
	b, offline := p.loginFor(t, "openid offline_access orders:read")
	sc.expectOf(t, "before the logout", offline.access, allowed)
	begun = time.Now()
	p.endSession(t, b, offline)
	to.await(t, begun, "the logout token", func(p passage) bool { return p.path == path })
	if !active(t, offline.access) {
		t.Fatal("the token with offline_access ended with the session: nothing is shown")
	}
	sc.expectOf(t, "after the logout", offline.access, allowed)
}
