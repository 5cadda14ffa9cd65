package dialect

import (
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

func TestSubjects(t *testing.T) {
	for _, c := range []struct {
		name, dialect, members string
		want                   authz.Subject
	}{
		{"a person with a name", "rfc7662", `"sub":"u","username":"al","client_id":"web"`, authz.Subject{ID: "u", Type: authz.User, Username: "al"}},
		{"a person with a session", "rfc7662", `"sub":"u","sid":"s"`, authz.Subject{ID: "u", Type: authz.User}},
		{"a person who logged in", "duende", `"sub":"u","auth_time":1,"client_id":"web"`, authz.Subject{ID: "u", Type: authz.User}},
		{"no evidence of anything", "rfc7662", `"sub":"u","client_id":"web"`, authz.Subject{ID: "u", Type: authz.UnknownType}},
		{"sub is the client", "rfc7662", `"sub":"web","client_id":"web","username":"web"`, authz.Subject{ID: "web", Type: authz.Client, Username: "web"}},
		{"only a name", "rfc7662", `"username":"al","client_id":"web"`, authz.Subject{Type: authz.UnknownType, Username: "al"}},
		{"only a client", "rfc7662", `"client_id":"web"`, authz.Subject{Type: authz.UnknownType}},
		{"only a client", "oidc-provider", `"client_id":"web"`, authz.Subject{ID: "web", Type: authz.Client}},
		{"only a client", "duende", `"client_id":"web"`, authz.Subject{ID: "web", Type: authz.Client}},
		{"only a client", "keycloak", `"client_id":"web"`, authz.Subject{Type: authz.UnknownType}},
		{"a sub that is no string", "oidc-provider", `"sub":7,"client_id":"web"`, authz.Subject{Type: authz.UnknownType}},
		{"a service account", "keycloak", `"sub":"u","username":"service-account-web","client_id":"web"`, authz.Subject{ID: "u", Type: authz.Client, Username: "service-account-web"}},
		{"a service account elsewhere", "rfc7662", `"sub":"u","username":"service-account-web","client_id":"web"`, authz.Subject{ID: "u", Type: authz.User, Username: "service-account-web"}},
		{"another client's service account", "keycloak", `"sub":"u","username":"service-account-job","client_id":"web"`, authz.Subject{ID: "u", Type: authz.UnknownType, Username: "service-account-job"}},
		{"a preferred name", "keycloak", `"sub":"u","preferred_username":"al"`, authz.Subject{ID: "u", Type: authz.User, Username: "al"}},
	} {
		if got := normalised(t, in(c.dialect), active(c.members)).Subject; got != c.want {
			t.Errorf("%s, %s: %+v, want %+v", c.dialect, c.name, got, c.want)
		}
	}
}

// Where people choose their names, one takes that of a client. Programs have no sessions.
func TestJAT6_WhoHasASessionIsNoClientByName(t *testing.T) {
	for _, c := range []struct{ dialect, members string }{
		{"keycloak", `"sub":"u","username":"service-account-web","client_id":"web","sid":"s"`},
		{"keycloak", `"sub":"web","client_id":"web","sid":"s"`},
		{"rfc7662", `"sub":"web","username":"web","client_id":"web","sid":"s"`},
		{"oidc-provider", `"sub":"web","client_id":"web","sid":"s"`},
	} {
		if got := normalised(t, in(c.dialect), active(c.members)).Subject.Type; got != authz.UnknownType {
			t.Errorf("%s {%s}: %s", c.dialect, c.members, got)
		}
	}
}
