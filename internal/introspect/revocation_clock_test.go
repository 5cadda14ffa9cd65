package introspect

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// alone configures an issuer that is never asked.
func alone(c *Config) {
	c.Cache.RevocationMemory = time.Hour
	c.Endpoint.IntrospectionEndpoint, c.Endpoint.Client.Auth = "", "none"
	c.Endpoint.Client.Secret = secret.Source{}
}

// The issuer's clock may be ahead by as much as it may be for a token to be used at all. A token of the moment before an
// eviction then says that it was issued after it.
func TestEV1_EvictionReachesTokensOfAnIssuerWhoseClockIsAhead(t *testing.T) {
	for name, v := range map[string]authz.Revocation{
		"sub": {Subject: "alice"}, "client_id": {ClientID: "web"}, "sid": {SessionID: "s1"}, "tenant": {Tenant: "t1"}, "username": {Username: "a"},
		"several": {Subject: "alice", ClientID: "web"}, "all": {All: true},
	} {
		for leeway, ahead := range map[time.Duration]int64{0: 9, 60 * time.Second: 59} {
			k := newKeyed(t)
			i, _ := open(t, "", k.in(JWT, alone, func(c *Config) { c.JWT.Leeway, c.Dialect.Tenant = leeway, []string{"/org"} }))
			tok := k.token(t, change{"iat": time.Now().Unix() + ahead, "sid": "s1", "org": "t1", "username": "a"})
			if c := look(t, i, tok); !c.Active {
				t.Fatal(c.InactiveReason)
			}
			evict(t, i, v)
			if c := look(t, i, tok); c.Active {
				t.Errorf("by %s, %d s ahead: the token is active", name, ahead)
			}
		}
	}
}

func TestEV1_TokensIssuedLaterThanTheToleranceAfterAnEvictionAreGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, v := range []authz.Revocation{{Subject: "alice"}, {All: true}} {
			r, now := newRevocations(time.Hour), time.Now()
			marks := []mark{1}
			if v.All {
				marks = nil
			}
			r.add(revocation{marks: marks, before: before(v, clockSkew, now), by: byOperator, arrived: now})
			for after, want := range map[time.Duration]revoker{-time.Hour: byOperator, 0: byOperator, clockSkew: byOperator, clockSkew + time.Second: notRevoked} {
				if got := r.by([]mark{1, 2}, nil, authz.At(now.Add(after)), now.Add(time.Minute)); got != want {
					t.Errorf("%+v: issued %v after: %v", v, after, got)
				}
			}
		}
	})
}

// An event has the time of the server's clock, which tokens have too.
func TestEV1_TheTimeOfAnEventIsTakenAsItIs(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for at, want := range map[time.Duration]time.Duration{-time.Hour: -time.Hour, 0: 0, 8 * time.Second: 8 * time.Second, time.Hour: maxAhead} {
		if got := before(authz.Revocation{Subject: "alice", At: now.Add(at)}, clockSkew, now); got != authz.At(now.Add(want)) {
			t.Errorf("%v from now: %v", at, got)
		}
	}
}
