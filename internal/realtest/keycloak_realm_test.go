//go:build real

package realtest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// keycloakRealm is a realm of testdata, with secrets of its own.
type keycloakRealm struct {
	server       *keycloak
	name, issuer string
	keycloakClients
	// alice is there from the beginning. A test that does something to a user makes one: newUser.
	alice keycloakUser
}

// keycloakUser is a user who can log in, has the role order-reader and approves orders.
type keycloakUser struct{ id, name, password string }

// newRealm makes a realm. It takes a second or some, so it is for tests that touch what a realm has once: all its
// sessions, its not-before, or what is registered for orders-api.
func (k *keycloak) newRealm(t *testing.T) *keycloakRealm {
	t.Helper()
	v := k.vault
	name := "acme-" + lowerText()
	r := &keycloakRealm{
		server: k, name: name, issuer: k.secure + "/realms/" + name, keycloakClients: newKeycloakClients(t, v, k.ca),
		alice: keycloakUser{name: "alice", password: v.secret("password of alice")},
	}
	realm := strings.NewReplacer(append(r.placeholders(t), "@REALM@", name, "@ALICE_PASSWORD@", r.alice.password)...).
		Replace(testkit.ReadFile(t, "testdata/keycloak/realm.json"))
	k.administer(t, http.MethodPost, "/admin/realms", jsontext.Value(realm), http.StatusCreated)
	r.alice.id = r.find(t, "/users?exact=true&username=alice")
	return r
}

// at is an endpoint of OpenID Connect: token, token/introspect, revoke, logout, auth or certs.
func (r *keycloakRealm) at(endpoint string) string {
	return r.issuer + "/protocol/openid-connect/" + endpoint
}

// ask is a form for an endpoint, by a client that authenticates with client_secret_basic.
func (r *keycloakRealm) ask(c oauthClient, endpoint string, form url.Values) call {
	return call{http: r.server.web, endpoint: r.at(endpoint), form: form, as: c}
}

// issuerAs configures the sidecar by the issuer alone: the endpoint is found in the metadata.
func (r *keycloakRealm) issuerAs(c oauthClient, more string) string {
	return r.issuerBy(fmt.Sprintf("id: %q, secret: {env: CLIENT_SECRET}", c.id), more)
}

// issuerBy does it for a client that authenticates as its part of the configuration says. more is indented by four.
func (r *keycloakRealm) issuerBy(client, more string) string {
	return fmt.Sprintf(`  - name: keycloak
    issuer: %q
    dialect: keycloak
    ca_file: %q
    client: {%s}
    tenant: [/tenant, /organization/tenant]
    timeout: 8s
    cache: {ttl: 1s, negative_ttl: 1s}
%s`, r.issuer, r.server.caFile, client, more)
}

// keycloakAnswer is an introspection answer, as far as it matters here. Claims of a JWT are read with it too.
type keycloakAnswer struct {
	answerOf
	Issuer   string         `json:"iss"`
	ID       string         `json:"jti"`
	Subject  string         `json:"sub"`
	Session  string         `json:"sid"`
	Type     string         `json:"typ"`
	Username string         `json:"username"`
	Scope    string         `json:"scope"`
	Audience jsontext.Value `json:"aud"` // text when it is one
	IssuedAt int64          `json:"iat"`
}

// names tells whether the answer names an audience.
func (a keycloakAnswer) names(audience string) bool {
	return strings.Contains(string(a.Audience), fmt.Sprintf("%q", audience))
}

// introspect completes c with a token, the endpoint, and what trusts the server.
func (r *keycloakRealm) introspect(c call, token string) call {
	form := url.Values{"token": {token}}
	for name, values := range c.form {
		form[name] = values
	}
	c.form, c.endpoint = form, r.at("token/introspect")
	if c.http == nil {
		c.http = r.server.web
	}
	return c
}

// told is the answer to c.
func (r *keycloakRealm) told(t *testing.T, c call, token string) keycloakAnswer {
	t.Helper()
	return decode[keycloakAnswer](t, r.introspect(c, token).want(t, http.StatusOK))
}

// active tells what orders-api is told of a token.
func (r *keycloakRealm) active(t *testing.T, token string) bool {
	t.Helper()
	return r.told(t, call{as: r.api}, token).Active
}

// find is the id of the one thing that an administrator finds at a path of the realm.
func (r *keycloakRealm) find(t *testing.T, path string) string {
	t.Helper()
	found := decode[[]struct {
		ID string `json:"id"`
	}](t, r.admin(t, http.MethodGet, path, nil, http.StatusOK))
	if len(found) != 1 {
		t.Fatalf("find %s in Keycloak: there are %d", path, len(found))
	}
	return found[0].ID
}

// placeholder writes text so that it fits between the quotes of JSON.
func placeholder(t *testing.T, text string) string {
	t.Helper()
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(quoted[1 : len(quoted)-1])
}
