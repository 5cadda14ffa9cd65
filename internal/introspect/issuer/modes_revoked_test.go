package issuer

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// evictSession says that the session of a token is over.
func evictSession(t *testing.T, i *Issuer, sid string) {
	t.Helper()
	if _, err := i.Evict(authz.Revocation{SessionID: sid}); err != nil {
		t.Fatal(err)
	}
}

func TestEV1_ARevokedJWTIsAskedAboutAlthoughItIsValidatedLocally(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT, func(c *Config) { c.Cache.RevocationMemory = time.Hour }))
	tok, other := k.token(t, change{"sid": "s1"}), k.token(t, change{"sid": "s2", "jti": "2"})
	if !look(t, i, tok).Active || !look(t, i, other).Active || k.asked.Load() != 0 {
		t.Fatal("not validated locally")
	}
	evictSession(t, i, "s1")
	k.says(testkit.ReplyJSON(`{"active":false}`))
	if c := look(t, i, tok); c.Active || k.asked.Load() != 1 {
		t.Errorf("active %t after %d questions", c.Active, k.asked.Load())
	}
	if c := look(t, i, other); !c.Active || k.asked.Load() != 1 {
		t.Errorf("the token of another session: %s, %d questions", c.Inactive.Text, k.asked.Load())
	}
}

func TestEV1_ARevokedJWTThatItsIssuerStillCallsActiveLivesOn(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT, func(c *Config) { c.Cache.RevocationMemory = time.Hour }))
	tok := k.token(t, change{"sid": "s1"})
	evictSession(t, i, "s1")
	k.says(testkit.ReplyJSON(fmt.Sprintf(`{"active":true,"aud":%q}`, api)))
	if c := look(t, i, tok); !c.Active || c.Source != authz.BothSources {
		t.Errorf("source %q: %s", c.Source, c.Inactive.Text)
	}
	k.says(testkit.Reply(http.StatusBadGateway, "", ""))
	tok = k.token(t, change{"sid": "s1", "jti": "2"})
	noAnswer(t, i, tok, "", authz.Unavailable)
}

func TestEV1_WhereNoServerCanBeAskedTheRevocationHolds(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT, func(c *Config) {
		c.Cache.RevocationMemory = time.Hour
		c.Endpoint.IntrospectionEndpoint, c.Endpoint.Client.Auth = "", "none"
		c.Endpoint.Client.Secret = c.Endpoint.Client.Key
	}))
	tok := k.token(t, change{"sid": "s1"})
	if !look(t, i, tok).Active {
		t.Fatal("not active")
	}
	evict(t, i, authz.Revocation{SessionID: "s1", At: time.Now()})
	if c := look(t, i, tok); c.Active || c.Inactive.Text != "was revoked, and its issuer cannot be asked" {
		t.Errorf("active %t: %s", c.Active, c.Inactive.Text)
	}
	later := k.token(t, change{"sid": "s1", "jti": "3", "iat": time.Now().Add(5 * time.Second).Unix()})
	if c := look(t, i, later); !c.Active {
		t.Errorf("a token that was issued later: %s", c.Inactive.Text)
	}
}

func TestEV3_WhatOnlyTheTokenItselfSaysCanBeRevokedToo(t *testing.T) {
	for name, v := range map[string]authz.Revocation{
		"email":    {Email: "alice@example.org"},
		"username": {Username: "alice.a"},
		"tenant":   {Tenant: "t1"},
	} {
		k := newKeyed(t)
		k.says(testkit.ReplyJSON(fmt.Sprintf(`{"active":true,"aud":%q}`, api)))
		i, _ := open(t, "", k.in(authz.ModeJWTThenIntrospect, withTenant))
		tok := k.token(t, change{"email": "Alice@example.org", "username": "alice.a", "org": "t1"})
		if c := look(t, i, tok); !c.Active {
			t.Fatal(c.Inactive.Text)
		}
		if n, err := i.Evict(v); n != 1 || err != nil {
			t.Errorf("%s: %d answers are evicted: %v", name, n, err)
		}
		k.says(testkit.ReplyJSON(`{"active":false}`))
		if c := look(t, i, tok); c.Active {
			t.Errorf("%s: a revoked token passes", name)
		}
	}
}
