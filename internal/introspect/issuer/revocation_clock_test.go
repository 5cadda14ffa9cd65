package issuer

import (
	"testing"
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

// The issuer's clock may be ahead by as much as it may be for a token to be used at all. A token of the moment before
// an eviction then says that it was issued after it.
func TestEV1_EvictionReachesTokensOfAnIssuerWhoseClockIsAhead(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]authz.Revocation{
		"sub": {Subject: "alice"}, "client_id": {ClientID: "web"}, "sid": {SessionID: "s1"}, "tenant": {Tenant: "t1"},
		"username": {Username: "a"},
		"several":  {Subject: "alice", ClientID: "web"}, "all": {All: true},
	} {
		for leeway, ahead := range map[time.Duration]int64{0: 9, 60 * time.Second: 59} {
			k := newKeyed(t)
			i, _ := open(t, "", k.in(authz.ModeJWT, alone,
				func(c *Config) { c.JWT.Leeway, c.Dialect.Tenant = leeway, []string{"/org"} }))
			tok := k.token(t, change{"iat": time.Now().Unix() + ahead, "sid": "s1", "org": "t1", "username": "a"})
			if c := look(t, i, tok); !c.Active {
				t.Fatal(c.Inactive.Text)
			}
			evict(t, i, v)
			if c := look(t, i, tok); c.Active {
				t.Errorf("by %s, %d s ahead: the token is active", name, ahead)
			}
		}
	}
}
