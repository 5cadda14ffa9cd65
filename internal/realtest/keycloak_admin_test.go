//go:build real

package realtest

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// administer makes a call to the administration API, at the plain listener.
func (k *keycloak) administer(t *testing.T, method, path string, body any, statuses ...int) []byte {
	t.Helper()
	return jsonCall{nil, method, k.plain + path, k.adminToken(t), body}.want(t, statuses...)
}

// adminToken lives for a minute. Getting one takes a hundred times as long as using it.
func (k *keycloak) adminToken(t *testing.T) string {
	t.Helper()
	if time.Now().Before(k.adminUntil) {
		return k.adminAccess
	}
	begun := time.Now()
	got := decode[struct {
		Access string `json:"access_token"`
	}](t, call{endpoint: k.plain + "/realms/master/protocol/openid-connect/token", form: url.Values{
		"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"}, "password": {k.password},
	}}.want(t, http.StatusOK))
	k.adminAccess, k.adminUntil = got.Access, begun.Add(40*time.Second)
	return got.Access
}

// jsonCall is a call with JSON in it, or with nothing when the body is nil.
type jsonCall struct {
	http                *http.Client // nil is the usual one
	method, url, bearer string
	body                any
}

func (c jsonCall) do(t *testing.T) reply {
	t.Helper()
	var body io.Reader
	if c.body != nil {
		text, err := json.Marshal(c.body)
		if err != nil {
			t.Fatal(err)
		}
		body = strings.NewReader(string(text))
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), c.method, c.url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.bearer)
	req.Header.Set("Content-Type", "application/json")
	return send(t, c.http, req)
}

// want makes the call and returns the body of the answer, which must have one of the statuses.
func (c jsonCall) want(t *testing.T, statuses ...int) []byte {
	t.Helper()
	r := c.do(t)
	if !slices.Contains(statuses, r.status) {
		t.Fatalf("%s %s: status %d: %s", c.method, c.url, r.status, r.body)
	}
	return r.body
}

// admin makes a call to the administration API, for a path of the realm.
func (r *keycloakRealm) admin(t *testing.T, method, path string, body any, statuses ...int) []byte {
	t.Helper()
	return r.server.administer(t, method, "/admin/realms/"+r.name+path, body, statuses...)
}

// change replaces members of what the administration API has at a path. Attributes are added to those that are there.
func (r *keycloakRealm) change(t *testing.T, path string, members map[string]any) {
	t.Helper()
	was := decode[map[string]any](t, r.admin(t, http.MethodGet, path, nil, http.StatusOK))
	if attributes, ok := members["attributes"].(map[string]any); ok {
		if old, ok := was["attributes"].(map[string]any); ok {
			maps.Copy(old, attributes)
			members = maps.Clone(members)
			members["attributes"] = old
		}
	}
	maps.Copy(was, members)
	r.admin(t, http.MethodPut, path, was, http.StatusNoContent)
}

// newUser makes a user like alice, for one test, who may have offline sessions.
func (r *keycloakRealm) newUser(t *testing.T) keycloakUser {
	t.Helper()
	u := keycloakUser{name: "user-" + lowerText(), password: r.server.vault.secret("password of a user")}
	// The import is the one call that gives roles along.
	got := decode[struct {
		Results []struct {
			ID string `json:"id"`
		} `json:"results"`
	}](t, r.admin(t, http.MethodPost, "/partialImport",
		map[string]any{"ifResourceExists": "FAIL", "users": []map[string]any{{
			"username": u.name, "enabled": true, "email": u.name + "@acme.example", "emailVerified": true,
			"firstName": "U", "lastName": "Ser",
			"credentials": []map[string]any{{"type": "password", "value": u.password, "temporary": false}},
			"attributes":  map[string]any{"tenant": []string{"acme"}},
			"realmRoles":  []string{"order-reader", "offline_access"},
			"clientRoles": map[string]any{"orders-api": []string{"approver"}},
		}}}, http.StatusOK))
	if len(got.Results) != 1 {
		t.Fatalf("make a user: %d are made", len(got.Results))
	}
	u.id = got.Results[0].ID
	return u
}

func (r *keycloakRealm) disableUser(t *testing.T, u keycloakUser) {
	t.Helper()
	r.change(t, "/users/"+u.id, map[string]any{"enabled": false})
}

func (r *keycloakRealm) enableUser(t *testing.T, u keycloakUser) {
	t.Helper()
	r.change(t, "/users/"+u.id, map[string]any{"enabled": true})
}

func (r *keycloakRealm) deleteUser(t *testing.T, u keycloakUser) {
	t.Helper()
	r.admin(t, http.MethodDelete, "/users/"+u.id, nil, http.StatusNoContent)
}

// changePassword gives a user another password, as an administrator, and returns the user with it.
func (r *keycloakRealm) changePassword(t *testing.T, u keycloakUser) keycloakUser {
	t.Helper()
	u.password = r.server.vault.secret("later password of a user")
	r.admin(t, http.MethodPut, "/users/"+u.id+"/reset-password",
		map[string]any{"type": "password", "value": u.password, "temporary": false}, http.StatusNoContent)
	return u
}

// deleteSession ends one session, by its sid.
func (r *keycloakRealm) deleteSession(t *testing.T, sid string) {
	t.Helper()
	r.admin(t, http.MethodDelete, "/sessions/"+url.PathEscape(sid), nil, http.StatusNoContent)
}

// logoutUser ends all sessions of a user.
func (r *keycloakRealm) logoutUser(t *testing.T, u keycloakUser) {
	t.Helper()
	r.admin(t, http.MethodPost, "/users/"+u.id+"/logout", nil, http.StatusNoContent)
}

// logoutAll ends all sessions of the realm, and tells those who have an admin URL: k_logout. For a realm of one's own.
func (r *keycloakRealm) logoutAll(t *testing.T) {
	t.Helper()
	r.admin(t, http.MethodPost, "/logout-all", nil, http.StatusOK, http.StatusNoContent)
}

// setNotBefore makes all tokens of the realm inactive whose iat is before a second; 0 takes it back. For a realm of
// one's own.
func (r *keycloakRealm) setNotBefore(t *testing.T, second int64) {
	t.Helper()
	r.admin(t, http.MethodPut, "", map[string]any{"notBefore": second}, http.StatusNoContent)
}

// setClientNotBefore is the same for the tokens that a client got.
func (r *keycloakRealm) setClientNotBefore(t *testing.T, id string, second int64) {
	t.Helper()
	r.change(t, r.clientPath(t, id), map[string]any{"notBefore": second})
}

// setUserNotBefore is the same for the tokens of a user, at least by its name.
func (r *keycloakRealm) setUserNotBefore(t *testing.T, u keycloakUser, second int64) {
	t.Helper()
	r.change(t, "/users/"+u.id, map[string]any{"notBefore": second})
}

// pushNotBefore tells all clients that have an admin URL what the realm's not-before is: k_push_not_before.
func (r *keycloakRealm) pushNotBefore(t *testing.T) {
	t.Helper()
	r.admin(t, http.MethodPost, "/push-revocation", nil, http.StatusOK)
}

// pushClientNotBefore tells one client.
func (r *keycloakRealm) pushClientNotBefore(t *testing.T, id string) {
	t.Helper()
	r.admin(t, http.MethodPost, r.clientPath(t, id)+"/push-revocation", nil, http.StatusOK)
}

// setAdminURL says where a client is told of k_logout and k_push_not_before, until the end of t.
func (r *keycloakRealm) setAdminURL(t *testing.T, id, url string) {
	t.Helper()
	path := r.clientPath(t, id)
	r.change(t, path, map[string]any{"adminUrl": url})
	t.Cleanup(func() { r.change(t, path, map[string]any{"adminUrl": ""}) })
}

// setBackchannelLogout says where a client is told of the end of its sessions, until the end of t.
func (r *keycloakRealm) setBackchannelLogout(t *testing.T, id, url string) {
	t.Helper()
	path := r.clientPath(t, id)
	to := func(url string) map[string]any {
		return map[string]any{"attributes": map[string]any{"backchannel.logout.url": url,
			"backchannel.logout.session.required": "true"}}
	}
	r.change(t, path, to(url))
	t.Cleanup(func() { r.change(t, path, to("")) })
}
