//go:build real

package realtest

import (
	"crypto/rand"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// everySidecar is asked for, as a scope, to get a token that all who stand for the sidecar may ask about. Without it
// only api may: whom a token does not name in aud is told that it is inactive.
const everySidecar = "every-sidecar"

// keycloakClients are the clients of a realm. Those that only introspect stand for the sidecar.
type keycloakClients struct {
	// api introspects with a secret, by client_secret_basic or client_secret_post.
	api oauthClient
	// lax is told about every token, whatever its audience and its kind.
	lax oauthClient
	// secretJWT, keyJWT and tls introspect with client_secret_jwt, private_key_jwt and tls_client_auth.
	secretJWT oauthClient
	keyJWT    keyClient
	tls       certificateClient
	// rotating introspects with a secret that can be rotated: see rotateSecret.
	rotating oauthClient

	// app gets tokens for itself and for users, for the audience of api. other gets them without an audience.
	app, other oauthClient
}

func newKeycloakClients(t *testing.T, v vault, ca testkit.Authority) keycloakClients {
	t.Helper()
	with := func(id string) oauthClient { return oauthClient{id, v.secret("secret of " + id)} }
	return keycloakClients{
		api: with("orders-api"), lax: with("orders-lenient"), app: with("orders-app"), other: with("other-app"),
		secretJWT: with("orders-api-secret-jwt"), keyJWT: keyClient{id: "orders-api-key-jwt", key: testkit.NewKey(t)},
		tls:      certificateClient{"orders-api-tls", ca.Client(t, "sidecar.acme.example")},
		rotating: with("orders-api-rotating"),
	}
}

// keySetOf is what a server is told of the keys of a client, as text. Each is named by its thumbprint.
func keySetOf(t *testing.T, clients ...keyClient) string {
	t.Helper()
	var keys jose.JSONWebKeySet
	for _, c := range clients {
		keys.Keys = append(keys.Keys, jose.JSONWebKey{Key: &c.key.PublicKey,
			KeyID: testkit.ProofKeyOf(t, c.key).Thumbprint, Use: "sig", Algorithm: "ES256"})
	}
	text, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// registerKeys replaces what Keycloak knows of the keys of a client, all of which are the same client's.
func (r *keycloakRealm) registerKeys(t *testing.T, clients ...keyClient) {
	t.Helper()
	r.change(t, r.clientPath(t, clients[0].id),
		map[string]any{"attributes": map[string]any{"jwks.string": keySetOf(t, clients...)}})
}

// placeholders are what the file of the realm has in place of secrets and keys, each followed by what belongs there.
func (c keycloakClients) placeholders(t *testing.T) []string {
	t.Helper()
	return []string{
		"@ORDERS_API_SECRET@", c.api.secret, "@ORDERS_LENIENT_SECRET@", c.lax.secret, "@ORDERS_APP_SECRET@",
		c.app.secret,
		"@OTHER_APP_SECRET@", c.other.secret, "@SECRET_JWT_SECRET@", c.secretJWT.secret, "@ROTATING_SECRET@",
		c.rotating.secret,
		"@KEY_JWT_JWKS@", placeholder(t, keySetOf(t, c.keyJWT)),
		"@TLS_SUBJECT@", c.tls.certificate.Leaf.Subject.String(), "@TLS_ISSUER@",
		c.tls.certificate.Leaf.Issuer.String(),
	}
}

// bySecretJWT, byKeyJWT, byPost and byCertificate authenticate once, as those clients do.
func (r *keycloakRealm) bySecretJWT(t *testing.T) call {
	t.Helper()
	return call{form: clientAssertion(t, r.secretJWT.id,
		jose.SigningKey{Algorithm: jose.HS256, Key: []byte(r.secretJWT.secret)}, r.issuer)}
}

func (r *keycloakRealm) byKeyJWT(t *testing.T) call {
	t.Helper()
	// Without the name of its key, Keycloak tries one alone of several.
	key := jose.JSONWebKey{Key: r.keyJWT.key, KeyID: testkit.ProofKeyOf(t, r.keyJWT.key).Thumbprint}
	return call{form: clientAssertion(t, r.keyJWT.id, jose.SigningKey{Algorithm: jose.ES256, Key: key}, r.issuer)}
}

func byPost(c oauthClient) call {
	return call{form: url.Values{"client_id": {c.id}, "client_secret": {c.secret}}}
}

func (r *keycloakRealm) byCertificate(c certificateClient) call {
	return call{http: r.server.showing(&c.certificate), form: url.Values{"client_id": {c.id}}}
}

// switches of newApp: attributes of a client of Keycloak.
const (
	lightweightTokens = "client.use.lightweight.access.token.enabled"
	typedTokens       = "access.token.header.type.rfc9068"           // RFC 9068: at+jwt
	dpopTokens        = "dpop.bound.access.tokens"                   // refused without a proof
	boundTokens       = "tls.client.certificate.bound.access.tokens" // refused without a certificate
)

// newApp registers a client, with switches on, that people can log in to, and that gets tokens as app does.
func (r *keycloakRealm) newApp(t *testing.T, switches ...string) oauthClient {
	t.Helper()
	attributes := map[string]string{"pkce.code.challenge.method": "S256", "post.logout.redirect.uris": callback}
	for _, s := range switches {
		attributes[s] = "true"
	}
	return r.newClient(t, "app-"+lowerText(), map[string]any{
		"standardFlowEnabled": true, "directAccessGrantsEnabled": true, "redirectUris": []string{callback},
		"attributes":           attributes,
		"defaultClientScopes":  []string{"basic", "roles", "profile", "tenant", "orders-api-audience"},
		"optionalClientScopes": []string{"offline_access", "orders:read", "orders:write", everySidecar},
	})
}

// newClient registers a client with a secret that may do nothing but what more says, and act for itself.
func (r *keycloakRealm) newClient(t *testing.T, id string, more map[string]any) oauthClient {
	t.Helper()
	c := oauthClient{id, r.server.vault.secret("secret of " + id)}
	representation := map[string]any{
		"clientId": c.id, "secret": c.secret, "protocol": "openid-connect", "publicClient": false,
		"serviceAccountsEnabled": true,
		"standardFlowEnabled":    false, "directAccessGrantsEnabled": false, "fullScopeAllowed": true,
		"defaultClientScopes": []string{"basic"}, "optionalClientScopes": []string{},
	}
	maps.Copy(representation, more)
	r.admin(t, http.MethodPost, "/clients", representation, http.StatusCreated)
	return c
}

// clientPath is where administrators find a client.
func (r *keycloakRealm) clientPath(t *testing.T, id string) string {
	t.Helper()
	return "/clients/" + r.find(t, "/clients?clientId="+url.QueryEscape(id))
}

// rotateSecret gives a client a new secret and returns the client with it. The one before stays good, of rotating and
// of those alone that have the attribute rotates.its.secret, until it is rotated again or dropped.
func (r *keycloakRealm) rotateSecret(t *testing.T, c oauthClient) oauthClient {
	t.Helper()
	fresh := decode[struct {
		Value string `json:"value"`
	}](t, r.admin(t, http.MethodPost, r.clientPath(t, c.id)+"/client-secret", nil, http.StatusOK))
	return oauthClient{c.id, r.server.vault.keep("rotated secret of "+c.id, fresh.Value)}
}

// dropOldSecret ends the secret before the last one.
func (r *keycloakRealm) dropOldSecret(t *testing.T, c oauthClient) {
	t.Helper()
	r.admin(t, http.MethodDelete, r.clientPath(t, c.id)+"/client-secret/rotated", nil, http.StatusNoContent)
}

// lowerText is unique text for names.
func lowerText() string { return strings.ToLower(rand.Text()[:12]) }
