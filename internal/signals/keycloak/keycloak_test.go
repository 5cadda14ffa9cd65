package keycloak

import (
	"net/http"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/testkit/jwks"
	"github.com/authz-sidecar/sidecar/internal/testkit/transmitter"
)

func adminClaimsOf() map[string]any {
	now := time.Now().Unix()
	return map[string]any{"id": "m-1", "expiration": now + 30, "resource": "orders-api", "action": "LOGOUT",
		"notBefore": now}
}

func postAdmin(t *testing.T, rs http.Handler, action, tok string) int {
	t.Helper()
	return post(t, rs, action, "text/plain; charset=ISO-8859-1", tok).Code
}

func TestKeycloakLogoutOfSessionsEndsThem(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, nil)
	// The not-before of the realm is an old one: the sessions are over all the same.
	claims := transmitter.With(adminClaimsOf(), map[string]any{"keycloakSessionIds": []string{"s1", "s2"},
		"adapterSessionIds": []string{"x"}, "notBefore": 5})
	if code := postAdmin(t, rs, "k_logout", jwks.Sign(t, p.Signer, "JWT", claims)); code != http.StatusNoContent {
		t.Fatalf("status %d", code)
	}
	for _, r := range l.All() {
		if !r.At.IsZero() { // of now, and by no clock of Keycloak's
			t.Errorf("in force since %v", r.At)
		}
	}
	transmitter.Wants(t, l, authz.Revocation{SessionID: "s1"}, authz.Revocation{SessionID: "s2"})
}

func TestKeycloakLogoutThatNamesNoUsableSessionEndsAll(t *testing.T) {
	p := transmitter.New(t)
	for name, ids := range map[string]any{
		"absent": nil, "empty": []string{}, "text": "s1", "numbers": []int{1}, "an empty one": []string{"s1", ""},
		"too many": make([]string, maxSessions+1),
	} {
		rs, l := openFor(t, p, nil)
		claims := transmitter.With(adminClaimsOf(), map[string]any{"keycloakSessionIds": ids,
			"adapterSessionIds": []string{"x"}})
		if code := postAdmin(t, rs, "k_logout", jwks.Sign(t, p.Signer, "JWT", claims)); code != http.StatusNoContent {
			t.Fatalf("%s: status %d", name, code)
		}
		transmitter.Wants(t, l, authz.Revocation{All: true})
	}
}

func TestKeycloakMessagesForOthersAreRefused(t *testing.T) {
	p := transmitter.New(t)
	now := time.Now().Unix()
	for name, tok := range map[string]string{
		"another key":    jwks.Sign(t, transmitter.OtherSigner(t, "RS256"), "JWT", adminClaimsOf()),
		"a logout token": jwks.Sign(t, p.Signer, "logout+jwt", adminClaimsOf()),
		"a token of a user": jwks.Sign(t, p.Signer, "JWT",
			map[string]any{"iss": p.URL, "aud": "orders-api", "exp": now + 60, "sub": "alice"}),
		"another client": jwks.Sign(t, p.Signer, "JWT",
			transmitter.With(adminClaimsOf(), map[string]any{"resource": "other"})),
		"no client": jwks.Sign(t, p.Signer, "JWT",
			transmitter.With(adminClaimsOf(), map[string]any{"resource": nil})),
		"another action": jwks.Sign(t, p.Signer, "JWT",
			transmitter.With(adminClaimsOf(), map[string]any{"action": "PUSH_NOT_BEFORE"})),
		"expired": jwks.Sign(t, p.Signer, "JWT",
			transmitter.With(adminClaimsOf(), map[string]any{"expiration": now - 600})),
		"never expires": jwks.Sign(t, p.Signer, "JWT",
			transmitter.With(adminClaimsOf(), map[string]any{"expiration": nil})),
		"no id": jwks.Sign(t, p.Signer, "JWT",
			transmitter.With(adminClaimsOf(), map[string]any{"id": nil})),
		"of the wrong types": jwks.Sign(t, p.Signer, "JWT",
			transmitter.With(adminClaimsOf(), map[string]any{"resource": 1})),
		"garbage": "garbage",
	} {
		rs, l := openFor(t, p, nil)
		if code := postAdmin(t, rs, "k_logout", tok); code != http.StatusBadRequest {
			t.Errorf("%s: status %d", name, code)
		}
		transmitter.Wants(t, l)
	}
}

func TestKeycloakNotBeforeThatIsTakenBackRevokesNothing(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, nil)
	claims := transmitter.With(adminClaimsOf(), map[string]any{"action": "PUSH_NOT_BEFORE", "notBefore": 0})
	if code := postAdmin(t, rs, "k_push_not_before", jwks.Sign(t, p.Signer, "JWT",
		claims)); code != http.StatusNoContent {
		t.Fatalf("status %d", code)
	}
	if got := l.All(); len(got) != 1 || got[0].At.Unix() != 1 {
		t.Errorf("evicted %v", got)
	}
	claims = transmitter.With(claims, map[string]any{"notBefore": nil, "id": "m-2"})
	if code := postAdmin(t, rs, "k_push_not_before", jwks.Sign(t, p.Signer, "JWT",
		claims)); code != http.StatusBadRequest {
		t.Errorf("status %d", code)
	}
}

// Tokens say when they were issued by the same clock.
func TestKeycloakNotBeforeOfAServerWhoseClockIsAheadIsTakenAsItIs(t *testing.T) {
	p := transmitter.New(t)
	now := time.Now().Unix()
	for notBefore, want := range map[int64]int64{
		// by no clock it is that late: it is taken for now
		now + 8: now + 7, now - 100: now - 101, now + 3600: time.Time{}.Unix(),
	} {
		rs, l := openFor(t, p, nil)
		claims := transmitter.With(adminClaimsOf(), map[string]any{"action": "PUSH_NOT_BEFORE",
			"notBefore": notBefore})
		if code := postAdmin(t, rs, "k_push_not_before", jwks.Sign(t, p.Signer, "JWT",
			claims)); code != http.StatusNoContent {
			t.Fatalf("status %d", code)
		}
		if got := l.All(); len(got) != 1 || got[0].At.Unix() != want {
			t.Errorf("not before %d: evicted %v", notBefore, got)
		}
	}
}

func TestKeycloakMessageThatIsNotInForceIsNotAccepted(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, nil)
	tok := jwks.Sign(t, p.Signer, "JWT", adminClaimsOf())
	l.FailEvictions()
	if code := postAdmin(t, rs, "k_logout", tok); code != http.StatusServiceUnavailable {
		t.Errorf("status %d", code)
	}
	l.AllowEvictions()
	for range 2 {
		if code := postAdmin(t, rs, "k_logout", tok); code != http.StatusNoContent {
			t.Errorf("status %d", code)
		}
	}
	transmitter.Wants(t, l, authz.Revocation{All: true}) // once
}

func TestKeycloakUnknownPathsAreNotFound(t *testing.T) {
	p := transmitter.New(t)
	rs, _ := openFor(t, p, nil)
	if code := postAdmin(t, rs, "k_version", "x"); code != http.StatusNotFound {
		t.Errorf("status %d", code)
	}
}
