//go:build real

package realtest

import "testing"

// party is what the drill needs of Keycloak.
func (k *keycloak) party() party {
	service := facts{
		Issuer: k.issuer, ClientID: "orders-app", Tenant: "acme",
		Scopes: []string{"orders:read", "profile"}, Audiences: []string{"orders-api"},
		Roles: []string{"order-reader", "orders-api:viewer"},
	}
	service.Subject.ID, service.Subject.Type, service.Subject.Username = someID, "client", "service-account-orders-app"
	user := service
	user.Scopes, user.Roles = []string{"openid", "orders:read", "profile"},
		[]string{"order-reader", "orders-api:approver"}
	user.Subject.Type, user.Subject.Username = "user", "alice"
	return party{
		name:   "Keycloak " + keycloakVersion,
		issuer: k.issuerAs(k.api, "    audience: [orders-api]"),
		secret: k.api.secret,
		service: func(t *testing.T, aud audience) string {
			if aud == foreign {
				return k.clientToken(t, k.other)
			}
			return k.clientToken(t, k.app)
		},
		login:     func(t *testing.T) session { return k.userTokens(t, k.app, k.alice, toRead) },
		revoke:    func(t *testing.T, token string) { k.revoke(t, k.app, token) },
		logout:    func(t *testing.T, s session) { k.logout(t, k.app, s) },
		stop:      k.proc.stop,
		asService: service,
		asUser:    user,
	}
}

// lenient asks as a client that Keycloak tells about every token: refresh and ID tokens are active then, name this API
// as an audience, and only their type tells them from access tokens.
func (k *keycloak) lenient(t *testing.T) {
	sc := startSidecar(t, k.vault, setup{issuer: k.issuerAs(k.lax, "    audience: [orders-api]"),
		secret: k.lax.secret})
	s := k.userTokens(t, k.app, k.alice, toRead)
	if a := sc.decide(t, get(s.access)); a.String() != "allow 200" {
		t.Errorf("access token: %s, want allow 200", a)
	}
	for name, token := range map[string]string{"refresh token": s.refresh, "ID token": s.id} {
		if a := sc.decide(t, get(token)); a.String() != "unauthenticated 401 invalid_token" {
			t.Errorf("%s: %s, want unauthenticated 401 invalid_token", name, a)
		}
	}
	if a := sc.decide(t, get(k.clientToken(t, k.other))); a.String() != "unauthenticated 401 invalid_token" {
		t.Errorf("a token without audience: %s, want unauthenticated 401 invalid_token", a)
	}
}
