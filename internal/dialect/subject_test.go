package dialect

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

func TestSubjects(t *testing.T) {
	for _, c := range []struct {
		name, dialect, members string
		want                   authz.Subject
	}{
		{"a person with a name", "rfc7662", `"sub":"u","username":"al","client_id":"web"`,
			authz.Subject{ID: "u", Type: authz.User, Username: "al"}},
		{"a person with a session", "rfc7662", `"sub":"u","sid":"s"`, authz.Subject{ID: "u", Type: authz.User}},
		{"a person who logged in", "duende", `"sub":"u","auth_time":1,"client_id":"web"`,
			authz.Subject{ID: "u", Type: authz.User}},
		{"no evidence of anything", "rfc7662", `"sub":"u","client_id":"web"`,
			authz.Subject{ID: "u", Type: authz.UnknownType}},
		{"sub is the client", "rfc7662", `"sub":"web","client_id":"web"`,
			authz.Subject{ID: "web", Type: authz.Client}},
		{"sub is the client, beside a name", "rfc7662", `"sub":"web","client_id":"web","username":"web"`,
			authz.Subject{ID: "web", Type: authz.UnknownType, Username: "web"}},
		{"no sub, beside a name", "hydra", `"client_id":"web","username":"al"`,
			authz.Subject{Type: authz.UnknownType, Username: "al"}},
		{"a client that logged in, as all do there", "cognito", `"sub":"web","client_id":"web","auth_time":1`,
			authz.Subject{ID: "web", Type: authz.Client}},
		{"only a name", "rfc7662", `"username":"al","client_id":"web"`,
			authz.Subject{Type: authz.UnknownType, Username: "al"}},
		{"only a client", "rfc7662", `"client_id":"web"`, authz.Subject{Type: authz.UnknownType}},
		{"only a client", "oidc-provider", `"client_id":"web"`, authz.Subject{ID: "web", Type: authz.Client}},
		{"only a client", "duende", `"client_id":"web"`, authz.Subject{ID: "web", Type: authz.Client}},
		{"only a client", "keycloak", `"client_id":"web"`, authz.Subject{Type: authz.UnknownType}},
		{"a sub that is a number", "oidc-provider", `"sub":7,"client_id":"web"`,
			authz.Subject{ID: "7", Type: authz.User}},
		{"a service account", "keycloak", `"sub":"u","username":"service-account-web","client_id":"web"`,
			authz.Subject{ID: "u", Type: authz.Client, Username: "service-account-web"}},
		{"a service account elsewhere", "rfc7662", `"sub":"u","username":"service-account-web","client_id":"web"`,
			authz.Subject{ID: "u", Type: authz.User, Username: "service-account-web"}},
		{"another client's service account", "keycloak",
			`"sub":"u","username":"service-account-job","client_id":"web"`,
			authz.Subject{ID: "u", Type: authz.UnknownType, Username: "service-account-job"}},
		{"a preferred name", "keycloak", `"sub":"u","preferred_username":"al"`,
			authz.Subject{ID: "u", Type: authz.User, Username: "al"}},
	} {
		if got := normalised(t, in(c.dialect), active(c.members)).Subject; got != c.want {
			t.Errorf("%s, %s: %+v, want %+v", c.dialect, c.name, got, c.want)
		}
	}
}

// Where people choose their names, one takes that of a client. Programs have no sessions.
func TestJAT6_ASubjectWithASessionIsNoClientByName(t *testing.T) {
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

// A sub that equals the client's id is a client's only where nothing speaks of a person: RFC 9700 section 4.15.
func TestRFC9700_4_15_APersonCalledLikeAClientIsNoClient(t *testing.T) {
	for _, d := range rows() {
		if !slices.Contains(d.subject, "sub") || d.assigned || len(d.username) == 0 {
			continue
		}
		id := d.clientID[0]
		for _, m := range append([]string{"sid", "email"}, d.username...) {
			members := fmt.Sprintf(`"sub":"web",%q:"web","scope":"read","aud":"web","exp":2000,%q:"al"`, id, m)
			if got := normalised(t, Config{Dialect: d.name, Audience: []string{"web"}},
				active(members)).Subject.Type; got == authz.Client {
				t.Errorf("%s {%s}: %s", d.name, members, got)
			}
		}
	}
}

// OpenIddict's username is a display name, which hosts give to clients too.
func TestADisplayNameIsNoEvidence(t *testing.T) {
	for _, c := range []struct {
		name, members string
		want          authz.Subject
	}{
		{"a named client, with a sub of its own",
			`"sub":"svc-7f","client_id":"svc","username":"Nightly export","scope":"a"`,
			authz.Subject{ID: "svc-7f", Type: authz.UnknownType, Username: "Nightly export"}},
		{"a person", `"sub":"alice","client_id":"web","username":"Alice","scope":"a"`,
			authz.Subject{ID: "alice", Type: authz.UnknownType, Username: "Alice"}},
		{"the claims of the same token", `"sub":"alice","client_id":"web","name":"Alice","scope":"a"`,
			authz.Subject{ID: "alice", Type: authz.UnknownType, Username: "Alice"}},
		{"a named client", `"sub":"svc","client_id":"svc","name":"Nightly export","scope":"a"`,
			authz.Subject{ID: "svc", Type: authz.UnknownType, Username: "Nightly export"}},
		{"a client without a name", `"sub":"svc","client_id":"svc","scope":"a"`,
			authz.Subject{ID: "svc", Type: authz.Client}},
		{"an answer that withholds names", `"sub":"svc","client_id":"svc"`,
			authz.Subject{ID: "svc", Type: authz.UnknownType}},
		{"a person who logged in", `"sub":"alice","client_id":"web","auth_time":1,"scope":"a"`,
			authz.Subject{ID: "alice", Type: authz.User}},
	} {
		if got := normalised(t, in("openiddict"), active(c.members)).Subject; got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestConfiguredMembersDistinguishUsersFromClients(t *testing.T) {
	cfg := in("openiddict")
	cfg.Subject = SubjectConfig{User: []string{"/email", "/org/person"}, Client: []string{"/machine"}}
	for _, c := range []struct {
		members string
		want    authz.SubjectType
	}{
		{`"sub":"u","email":"a@b"`, authz.User},
		{`"sub":"u","org":{"person":true}`, authz.User},
		{`"sub":"web","client_id":"web","username":"Alice","scope":"a","email":"a@b"`, authz.User},
		{`"sub":"u","email":""`, authz.UnknownType},
		{`"sub":"u","email":null`, authz.UnknownType},
		{`"sub":"u","org":{"person":false}`, authz.UnknownType},
		{`"email":"a@b"`, authz.UnknownType},
		{`"sub":"u","machine":1,"username":"Nightly export"`, authz.Client},
		{`"client_id":"web","machine":1`, authz.Client},
		{`"sub":"u","machine":1,"email":"a@b"`, authz.UnknownType},
	} {
		if got := normalised(t, cfg, active(c.members)).Subject.Type; got != c.want {
			t.Errorf("{%s}: %s, want %s", c.members, got, c.want)
		}
	}
	cfg.Dialect = "wso2" // whose aut says the type
	if got := normalised(t, cfg,
		active(`"sub":"u","aut":"APPLICATION","email":"a@b"`)).Subject.Type; got != authz.UnknownType {
		t.Errorf("where the server says another: %s", got)
	}
}

// The claims of a JWT and the answer about it, both as recorded: one type of subject (Duende 7.4.8, OpenIddict 7.8.0).
func TestTheSubjectIsOneInEveryMode(t *testing.T) {
	for _, c := range []struct{ name, dialect, claims, answer string }{
		{"a person", "openiddict",
			`"sub":"bob","scope":"openid profile","client_id":"web","name":"Bob","preferred_username":"bob"`,
			`"username":"Bob","sub":"bob","scope":"openid profile","token_usage":"access_token","client_id":"web","name":"Bob","preferred_username":"bob"`},
		{"a client", "openiddict", `"sub":"svc","scope":"orders:read","client_id":"svc","oi_prst":"svc"`,
			`"sub":"svc","scope":"orders:read","token_usage":"access_token","client_id":"svc"`},
		{"a client with a name", "openiddict",
			`"sub":"svc","scope":"orders:read","client_id":"svc","name":"Nightly job"`,
			`"username":"Nightly job","sub":"svc","scope":"orders:read","client_id":"svc","name":"Nightly job"`},
		{"a person who is called like a client", "openiddict",
			`"sub":"web","scope":"orders:read","client_id":"web","name":"Alice"`,
			`"username":"Alice","sub":"web","scope":"orders:read","client_id":"web","name":"Alice"`},
		{"a token without scope", "openiddict", `"sub":"svc","client_id":"svc"`, `"sub":"svc","client_id":"svc"`},
		{"a person", "duende",
			`"client_id":"jwt","sub":"u1","auth_time":900,"idp":"local","scope":["orders.read"],"amr":["pwd"]`,
			`"client_id":"jwt","sub":"u1","auth_time":900,"idp":"local","scope":"orders.read","amr":"pwd"`},
		{"a client", "duende", `"client_id":"jwt","scope":["orders.read"]`, `"client_id":"jwt","scope":"orders.read"`},
	} {
		n := New(in(c.dialect), "https://as.example")
		token, err := n.ReadJWT([]byte(`{"iss":"https://as.example","exp":3000,`+c.claims+`}`), secret.Text{},
			time.Unix(2000, 0))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := n.Read([]byte(`{"active":true,"iss":"https://as.example","exp":3000,`+c.answer+`}`),
			secret.Text{}, time.Unix(2000, 0))
		if err != nil {
			t.Fatal(err)
		}
		if token.Claims.Subject != answer.Claims.Subject {
			t.Errorf("%s of %s: the token says %+v, the answer %+v", c.name, c.dialect, token.Claims.Subject,
				answer.Claims.Subject)
		}
	}
}
