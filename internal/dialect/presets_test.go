package dialect

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// example is something a server says of a token, by its documentation or its source, and what is to be understood.
type example struct {
	name, body string
	want       authz.Claims
}

// answers are examples of introspection answers, jwts of the claims of JWTs.
func answers() map[string][]example {
	return map[string][]example{
		"rfc7662": {{"the example of RFC 7662 section 2.2",
			`{"active":true,"client_id":"l238j323ds-23ij4","username":"jdoe","scope":"read write dolphin",
			"sub":"Z5O3upPC88QrAjx00dis","aud":"https://protected.example.net/resource","iss":"https://server.example.com/","exp":1419356238,"iat":1419350238,"extension_field":"twenty-seven"}`,
			authz.Claims{Kind: authz.UnknownToken, Issuer: "https://server.example.com/",
				Subject: person("Z5O3upPC88QrAjx00dis", "jdoe"), ClientID: "l238j323ds-23ij4",
				Scopes: []string{"dolphin", "read", "write"}, Audiences: []string{
					"https://protected.example.net/resource"}, IssuedAt: 1419350238, ExpiresAt: 1419356238}}},
		"keycloak":      keycloakAnswers(),
		"duende":        duendeAnswers(),
		"hydra":         hydraAnswers(),
		"zitadel":       zitadelAnswers(),
		"authentik":     authentikAnswers(),
		"okta":          oktaAnswers(),
		"pingam":        pingamAnswers(),
		"pingfederate":  pingfederateAnswers(),
		"curity":        curityAnswers(),
		"wso2":          wso2Answers(),
		"spring":        springAnswers(),
		"oidc-provider": oidcProviderAnswers(),
		"openiddict":    openiddictAnswers(),
		"connect2id": {
			{"a client",
				`{"active":true,"scope":"read write","client_id":"000123","token_type":"Bearer","exp":1700000600,"iat":1700000000,"sub":"000123","aud":["https://api.example.com"],"iss":"https://c2id.com"}`,
				authz.Claims{Kind: authz.AccessToken, Issuer: "https://c2id.com", Subject: program("000123"),
					ClientID: "000123", Scopes: []string{"read", "write"},
					Audiences: []string{"https://api.example.com"},
					IssuedAt:  1700000000, ExpiresAt: 1700000600}}},
		"google": googleAnswers(),
		"github": githubAnswers(),
	}
}

func person(id, username string) authz.Subject {
	return authz.Subject{ID: id, Type: authz.User, Username: username}
}
func program(id string) authz.Subject { return authz.Subject{ID: id, Type: authz.Client} }
func someone(id string) authz.Subject { return authz.Subject{ID: id, Type: authz.UnknownType} }

func TestTheDocumentedAnswerOfEachServer(t *testing.T) {
	all := answers()
	for _, d := range rows() {
		if len(all[d.name]) == 0 && d.ask.Encoding != Unasked {
			t.Errorf("%s: no answer is documented here", d.name)
		}
		for _, e := range all[d.name] {
			t.Run(d.name+"/"+e.name, func(t *testing.T) {
				f, err := New(in(d.name), "").Read([]byte(e.body), secret.New("the-token"), time.Unix(1000, 0))
				checkExample(t, e, f, err, "")
			})
		}
	}
}

func TestTheDocumentedJWTOfEachServer(t *testing.T) {
	all := jwts()
	for _, d := range rows() {
		if len(all[d.name]) == 0 && len(d.jwt.types) > 0 {
			t.Errorf("%s: no JWT is documented here", d.name)
		}
		for _, e := range all[d.name] {
			t.Run(d.name+"/"+e.name, func(t *testing.T) {
				f, err := New(in(d.name), "").ReadJWT(jsontext.Value(e.body), secret.New("the-token"),
					time.Unix(1000, 0))
				checkExample(t, e, f, err, authz.LocalJWT)
			})
		}
	}
}

func checkExample(t *testing.T, e example, f Fact, err error, source authz.Source) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	got := f.Claims
	if f.Keep != Active || !got.Active || !jsontext.Value(got.Raw).IsValid() ||
		strings.Contains(string(got.Raw), "the-token") {
		t.Fatalf("kept as %d: %+v", f.Keep, got)
	}
	want := &e.want
	want.Active, want.Source, want.Fetched, want.Raw = true, source, time.Unix(1000, 0), got.Raw
	for _, list := range []*[]string{&got.Scopes, &got.Roles, &got.Groups, &got.Permissions, &got.Auth.AMR} {
		if len(*list) == 0 {
			*list = nil
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("claims\n%+v, want\n%+v", got, want)
	}
	usable := want.Kind == authz.AccessToken || want.Kind == authz.UnknownToken
	if why := got.Usable(time.Unix(int64(cmp.Or(got.IssuedAt, got.NotBefore, 1)), 0)).Text; (why == "") != usable {
		t.Errorf("usable: %q", why)
	}
}

func TestTheWordsOfTheConfigurationAreTheTable(t *testing.T) {
	for _, name := range names() {
		if err := conf.Validate(Config{Dialect: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := conf.Validate(Config{Dialect: "keycloack"}); err == nil || !strings.Contains(err.Error(), "keycloak") {
		t.Errorf("error is %v", err)
	}
}

func TestOnlyServersWithAnEndpointAreAsked(t *testing.T) {
	for _, name := range names() {
		c := Config{Dialect: name}
		if got, want := c.Encoding() == Unasked, slices.Contains([]string{"auth0", "entra", "cognito"},
			name); got != want {
			t.Errorf("%s: encoding %d", name, c.Encoding())
		}
		if got, want := c.HasJWTs(), !slices.Contains([]string{"google", "github"}, name); got != want {
			t.Errorf("%s: JWTs %t", name, got)
		}
	}
}

func TestRefusedPrefixesOfTheDialectAndTheConfigurationAddUp(t *testing.T) {
	got := New(Config{Dialect: "hydra", RefusedPrefixes: []string{"x"}}, "").RefusedPrefixes()
	if !slices.Equal(got, []string{"ory_rt_", "x"}) {
		t.Errorf("%q", got)
	}
	if got := New(Config{RefusedPrefixes: []string{"x"}}, "").RefusedPrefixes(); !slices.Equal(got, []string{"x"}) {
		t.Errorf("%q", got)
	}
}

func TestINT9_StatusesThatSayInactiveInOneDialectOnly(t *testing.T) {
	for _, c := range []struct {
		status      int
		media, code string
		in          []string
	}{
		{204, "", "", []string{"curity"}},
		{404, "application/json", "", []string{"github"}},
		{404, "text/html", "", nil},
		{422, "application/json", "", nil},
		{401, "application/json", "invalid_token", nil},
		{400, "application/json", "invalid_client", nil},
		{403, "application/json", "invalid_token", nil},
		{400, "text/html", "invalid_token", nil},
		{400, "application/json", "invalid_request", nil},
		{400, "text/plain", "unsupported_token_type", nil},
		{500, "application/json", "", nil},
	} {
		for _, name := range names() {
			if got := New(in(name), "").Inactive(c.status, c.media, c.code); got != slices.Contains(c.in, name) {
				t.Errorf("%s: %d %s %s: %t", name, c.status, c.media, c.code, got)
			}
		}
	}
	for _, code := range []string{"unsupported_token_type", "invalid_token"} {
		if !New(in("zitadel"), "").Inactive(400, "application/json", code) {
			t.Errorf("INT-8b: 400 %s is inactive", code)
		}
	}
}

// TestINT6_StatusIsTheAnswerOnlyWhereThereIsNoMember: for two servers 200 says active, and for them only.
func TestINT6_StatusIsTheAnswerOnlyWhereThereIsNoMember(t *testing.T) {
	body := `"aud":"a","exp":"3000","app":{"client_id":"c"},"token":"t","expires_at":null}`
	for _, name := range names() {
		for start, want := range map[string]bool{
			`{`: name == "google" || name == "github", `{"active":"true",`: false, `{"active":1,`: false,
			`{"active":null,`: false, `{"active":false,`: false,
		} {
			f, err := New(in(name), "").Read([]byte(start+body), secret.Text{}, time.Unix(2000, 0))
			if err == nil && f.Claims.Active != want || err != nil && want {
				t.Errorf("%s %s: %+v, %v", name, start, f.Claims, err)
			}
		}
	}
	for _, c := range [][2]string{
		{"google", `{}`}, {"google", `{"error":"invalid_token"}`}, {"google", `{"aud":"a"}`},
		{"google", `{"aud":"","exp":"3000"}`},
		{"github", `{}`}, {"github", `{"app":null,"token":"t"}`}, {"github", `{"message":"Not Found"}`},
	} {
		f, err := New(in(c[0]), "").Read([]byte(c[1]), secret.Text{}, time.Unix(2000, 0))
		if err == nil || f.Claims != nil {
			t.Errorf("%s %s: %+v", c[0], c[1], f.Claims)
		}
	}
}

func TestNumbersInTextAreNumbersForGoogleOnly(t *testing.T) {
	for _, name := range names() {
		f, err := New(in(name), "").Read([]byte(`{"active":true,"aud":"a","exp":"3000"}`), secret.Text{},
			time.Unix(2000, 0))
		switch {
		case name == "google" && (err != nil || f.Claims.ExpiresAt != 3000):
			t.Errorf("google: %+v, %v", f.Claims, err)
		case name != "google" && name != "github" && err == nil:
			t.Errorf("%s: %+v", name, f.Claims)
		}
	}
	for _, exp := range []string{`""`, `"0"`, `"x"`, `"-5"`, `"3000.5"`, `"3e3"`, `" 3000"`, `"1795354082000"`,
		`true`} {
		if f, err := New(in("google"), "").Read([]byte(`{"active":true,"aud":"a","exp":`+exp+`}`), secret.Text{},
			time.Unix(2000, 0)); err == nil {
			t.Errorf("%s: %+v", exp, f.Claims)
		}
	}
}
