package dialect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// normalised reads one body as the configuration has it.
func normalised(t *testing.T, c Config, body string) *authz.Claims {
	t.Helper()
	n := New(c, "")
	f, err := n.Read([]byte(body), secret.Text{}, time.Unix(2000, 0))
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return f.Claims
}

func in(dialect string) Config { return Config{Dialect: dialect} }

// active makes an active answer with more members.
func active(more string) string {
	if more == "" {
		return `{"active":true}`
	}
	return `{"active":true,` + more + `}`
}

func TestEveryFactOfAnAnswerIsRead(t *testing.T) {
	body := ` {"active":true, "iss":"https://as", "jti":"j", "sub":"u1", "username":"al", "client_id":"web", "token_type":"Bearer",
	 "scope":"b a b", "aud":["z","a","z"], "roles":["r2","r1","r2"], "groups":["g"], "permissions":["p"], "acr":"2", "amr":["pwd","otp"],
	 "auth_time":900, "auth_level":3, "act":{"sub":"boss","client_id":"tool","act":{"sub":"inner"}}, "authorization_details":[ {"type":"pay"} ],
	 "cnf":{"jkt":"thumb"}, "iat":1000, "nbf":1001, "exp":3000}`
	got := normalised(t, in("rfc7662"), body)
	want := &authz.Claims{
		Active: true, Kind: authz.AccessToken, Issuer: "https://as", ID: "j",
		Subject: authz.Subject{ID: "u1", Type: authz.User, Username: "al"}, ClientID: "web",
		Scopes: []string{"a", "b"}, Audiences: []string{"a", "z"},
		Roles: []string{"r1", "r2"}, Groups: []string{"g"}, Permissions: []string{"p"},
		Auth: authz.Authentication{ACR: "2", AMR: []string{"otp", "pwd"}, Time: 900, Level: 3,
			HasLevel: true},
		Actor:                &authz.Actor{Subject: "boss", ClientID: "tool"},
		AuthorizationDetails: []byte(`[{"type":"pay"}]`),
		Confirmation:         authz.Confirmation{JKT: "thumb"},
		IssuedAt:             1000, NotBefore: 1001, ExpiresAt: 3000,
		Fetched: time.Unix(2000, 0), Raw: got.Raw,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("claims\n%+v, want\n%+v", got, want)
	}
	var compacted bytes.Buffer
	if err := json.Compact(&compacted, []byte(body)); err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimSpace(compacted.String()); string(got.Raw) != want {
		t.Errorf("raw %s, want %s", got.Raw, want)
	}
}

func TestAnIssuerSpeaksForItsOwnTenantsOnly(t *testing.T) {
	for _, c := range []struct {
		tenants, tenant string
		want            bool
	}{
		{"", "acme", true}, {"acme", "acme", true}, {"globex acme", "acme", true}, {"acme", "", true},
		{"*", "acme", true}, {"acme-*", "acme-eu", true}, {"*-eu", "acme-eu", true}, {"a*e-*u", "acme-eu", true},
		{"acme", "globex", false}, {"acme", "ACME", false}, {"acme", "acme ", false}, {"acme", "acme-eu", false},
		{"acme-*", "acme", false}, {"*-eu", "acme-eu2", false}, {"a*a", "a", false}, {"a*b*c", "acb", false},
		{"acme", "*", false},
	} {
		cfg := Config{Tenant: []string{"/tenant"}, Tenants: strings.Fields(c.tenants)}
		member := ""
		if c.tenant != "" {
			member = fmt.Sprintf(`,"tenant":%q`, c.tenant)
		}
		answer, err := New(cfg, "https://a").Read([]byte(`{"active":true,"iss":"https://a"`+member+`}`),
			secret.New("t0ken"), time.Unix(2000, 0))
		if err != nil {
			t.Fatal(err)
		}
		claims, err := New(cfg, "https://a").ReadJWT([]byte(`{"exp":3000,"iss":"https://a"`+member+`}`),
			secret.New("t0ken"), time.Unix(2000, 0))
		if err != nil {
			t.Fatal(err)
		}
		for source, f := range map[string]Fact{"answer": answer, "JWT": claims} {
			why := f.Claims.Usable(time.Unix(2000, 0)).Text
			if (why == "") != c.want || why != "" &&
				(why != fmt.Sprintf(`is of tenant %q, for which issuer "https://a" may not speak`, c.tenant) ||
					f.Keep != DoNotCache) {
				t.Errorf("%s of tenant %q where %q are allowed: %q", source, c.tenant, c.tenants, why)
			}
		}
	}
	faults := 0
	Config{Tenants: []string{"acme"}}.Check(func(key, _, _ string) { faults++ })
	if faults != 1 {
		t.Errorf("tenants without a rule that finds one: %d faults", faults)
	}
}

func TestATypeOfTokenThatCannotBeCheckedIsRefused(t *testing.T) {
	for typ, want := range map[string]bool{
		"Bearer": true, "BEARER": true, "DPoP": true, "access_token": true,
		"urn:ietf:params:oauth:token-type:access_token": true, "BearerToken": true, "": true,
		"access": true, "JWT": true, "at+jwt": true, "mac": false, "PoP": false, "N_A": false, "pop": false,
		"hawk": false, "Bearer ": false, "Basic": false,
	} {
		f, err := New(Config{}, "").Read([]byte(fmt.Sprintf(`{"active":true,"token_type":%q,"cnf":{"jkt":"x"}}`, typ)),
			secret.New("t0ken"), time.Unix(2000, 0))
		if err != nil {
			t.Fatal(err)
		}
		if why := f.Claims.Usable(time.Unix(2000, 0)).Text; (why == "") != want {
			t.Errorf("%q: %q", typ, why)
		}
	}
}

func TestASecurityEventThatIsCalledActiveIsNoAccessToken(t *testing.T) {
	for _, d := range names() {
		f, err := New(Config{Dialect: d}, "").Read([]byte(
			`{"active":true,"sub":"u","client_id":"c","aud":"x","exp":3000,"token_type":"Bearer","events":{"http://schemas.openid.net/event/backchannel-logout":{}}}`), secret.New("t0ken"), time.Unix(2000, 0))
		if err == nil && f.Claims.Usable(time.Unix(2000, 0)).OK() {
			t.Errorf("%s: a logout token may be used", d)
		}
	}
}

// TestAClaimTokenTypeIsTheServersOwnWord: no standard has that claim. Some frameworks write access or refresh there.
func TestAClaimTokenTypeIsTheServersOwnWord(t *testing.T) {
	for word, why := range map[string]string{
		"access": "", "Bearer": "", "JWT": "", "user": "", "m2m": "", "mac": "neither Bearer nor DPoP",
		"PoP":     "neither Bearer nor DPoP",
		"refresh": "refresh token", "id": "ID token",
	} {
		claims := []byte(`{"iss":"https://as","exp":3000,"sub":"u","token_type":"` + word + `"}`)
		f, err := New(Config{}, "https://as").ReadJWT(claims, secret.New("t0ken"), time.Unix(2000, 0))
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Claims.Usable(time.Unix(2000, 0)).Text; (why == "") != (got == "") || !strings.Contains(got, why) {
			t.Errorf("%s: %q, want %q", word, got, why)
		}
	}
}

func TestINT20_KindByEvidence(t *testing.T) {
	for _, c := range []struct {
		dialect, members string
		want             authz.TokenKind
	}{
		{"rfc7662", ``, authz.UnknownToken},
		{"rfc7662", `"token_type":"Bearer"`, authz.AccessToken},
		{"rfc7662", `"token_type":"bearer"`, authz.AccessToken},
		{"rfc7662", `"token_type":"DPoP"`, authz.AccessToken},
		{"rfc7662", `"token_type":"refresh_token"`, authz.RefreshToken},
		{"rfc7662", `"token_type":"N_A"`, authz.RefreshToken},
		{"rfc7662", `"token_type":"mac"`, authz.UnknownToken},
		{"rfc7662", `"token_type":"urn:ietf:params:oauth:token-type:refresh_token"`, authz.RefreshToken},
		{"rfc7662", `"token_use":"urn:ietf:params:oauth:token-type:id_token","token_type":"Bearer"`, authz.IDToken},
		{"rfc7662", `"token_type":"URN:ietf:params:oauth:token-type:access_token"`, authz.AccessToken},
		{"rfc7662", `"token_type":"Bearer","token_use":"refresh_token"`, authz.RefreshToken},
		{"rfc7662", `"token_type":"Bearer","token_use":"access_token"`, authz.AccessToken},
		{"rfc7662", `"token_use":"id"`, authz.IDToken},
		{"rfc7662", `"token_usage":"refresh_token","token_type":"Bearer"`, authz.RefreshToken},
		{"rfc7662", `"token_usage":"id_token"`, authz.IDToken},
		{"rfc7662", `"typ":"ID","token_type":"Bearer"`, authz.IDToken},
		{"keycloak", `"typ":"Bearer","token_type":"Bearer"`, authz.AccessToken},
		{"keycloak", `"typ":"Refresh","token_type":"Refresh"`, authz.RefreshToken},
		{"keycloak", `"typ":"OFFLINE"`, authz.RefreshToken},
		{"keycloak", `"typ":"id"`, authz.IDToken},
		{"keycloak", `"typ":"Logout"`, authz.IDToken},
		{"keycloak", `"typ":"Bearer","token_type":"Refresh"`, authz.RefreshToken},
		{"duende", ``, authz.AccessToken},
		{"duende", `"token_type":"access_token"`, authz.AccessToken},
		{"duende", `"token_type":"refresh_token"`, authz.RefreshToken},
		{"oidc-provider", ``, authz.RefreshToken},
		{"oidc-provider", `"token_type":"Bearer"`, authz.AccessToken},
	} {
		if got := normalised(t, in(c.dialect), active(c.members)).Kind; got != c.want {
			t.Errorf("%s {%s}: %s, want %s", c.dialect, c.members, got, c.want)
		}
	}
}

func TestINT20_ARefreshTokenIsNotUsable(t *testing.T) {
	c := normalised(t, in("keycloak"), active(`"typ":"Refresh","exp":9000000000`))
	if !c.Active || c.Usable(time.Unix(2000, 0)).Text != "is a refresh token" {
		t.Errorf("claims %+v", c)
	}
}

func TestClientIDsInTheirOrder(t *testing.T) {
	for members, want := range map[string]string{
		`"client_id":"a","azp":"b"`: "a", `"azp":"b","cid":"c"`: "b", `"cid":"c","appid":"d"`: "c", `"appid":"d"`: "d",
		`"client_id":""`: "", `"client_id":null,"azp":"b"`: "b",
	} {
		if got := normalised(t, in("rfc7662"), active(members)).ClientID; got != want {
			t.Errorf("{%s}: %q", members, got)
		}
	}
}

func TestTrap16_ScopesAreASet(t *testing.T) {
	for members, want := range map[string][]string{
		`"scope":"b a  b"`: {"a", "b"}, `"scope":["b","a c","b"]`: {"a", "b", "c"}, `"scope":""`: {}, `"scope":[]`: {},
		`"scope":{"a":1}`: {},
		`"scp":"a b"`:     {"a", "b"}, `"scp":["a"]`: {"a"}, `"scope":"","scp":"a"`: {},
		`"scope":null,"scp":"a"`:  {"a"},
		`"scope":["a",7,null,{}]`: {"7", "a"},
		"\"scope\":\"a\\tb\"":     {"a\tb"}, `"x":1`: {},
	} {
		if got := normalised(t, in("rfc7662"), active(members)).Scopes; !slices.Equal(got, want) {
			t.Errorf("{%s}: %q", members, got)
		}
	}
}

func TestTrap14_AudienceIsStringArrayOrAbsent(t *testing.T) {
	for members, want := range map[string][]string{
		`"aud":"b"`: {"b"}, `"aud":["b","a","b"]`: {"a", "b"}, `"aud":[]`: {}, `"aud":""`: {}, `"aud":7`: {"7"},
		`"aud":[7,null]`: {"7"}, `"aud":true`: {}, `"aud":{"b":1}`: {}, `"aud":[["b"],1.5]`: {}, `"aud":null`: nil,
		`"x":1`: nil,
	} {
		got := normalised(t, in("rfc7662"), active(members)).Audiences
		if !slices.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("{%s}: %#v", members, got)
		}
	}
}

func TestINT11_TheAudienceRule(t *testing.T) {
	for _, c := range []struct {
		members, absent string
		active          bool
	}{
		{`"aud":"api"`, "refuse", true},
		{`"aud":["x","api2"]`, "refuse", true},
		{`"aud":"x"`, "accept", false},
		{`"aud":"API"`, "accept", false},
		{`"aud":[]`, "accept", false},
		{`"aud":7`, "accept", false},
		{`"x":1`, "accept", true},
		{`"x":1`, "refuse", false},
		{`"x":1`, "", false},
	} {
		cfg := Config{Audience: []string{"api", "api2"}, AbsentAudience: c.absent}
		got := normalised(t, cfg, active(c.members))
		if got.Active != c.active || !c.active && (got.Inactive.Text == "" || got.Raw != nil) {
			t.Errorf("{%s} %s: %+v", c.members, c.absent, got)
		}
	}
}

func TestINT10_AnAnswerOfAnotherIssuerIsNotActive(t *testing.T) {
	for members, want := range map[string]bool{
		`"iss":"https://as"`: true, `"x":1`: true, `"iss":null`: true, `"iss":"https://as/"`: false,
		`"iss":"https://b"`: false, `"iss":7`: false, `"iss":""`: false,
	} {
		f, err := New(Config{}, "https://as").Read([]byte(active(members)), secret.Text{}, time.Unix(2000, 0))
		if err != nil {
			t.Fatal(err)
		}
		got := f.Claims
		if got.Active != want {
			t.Errorf("{%s}: %+v", members, got)
		}
		if want && got.Issuer != "https://as" {
			t.Errorf("{%s}: issuer %q", members, got.Issuer)
		}
		if !want && !strings.HasPrefix(got.Inactive.Text, "was issued by another issuer than the configured one: ") &&
			got.Inactive.Text != `names an issuer that cannot be read: member "iss" is not a text` {
			t.Errorf("{%s}: %q", members, got.Inactive.Text)
		}
	}
}

func TestTheLeewayOfTheIssuerGoesWithTheClaims(t *testing.T) {
	c := normalised(t, Config{NotBeforeLeeway: 30 * time.Second}, active(`"nbf":2030`))
	if !c.Usable(time.Unix(2000, 0)).OK() || c.Usable(time.Unix(1999, 0)).OK() {
		t.Errorf("leeway %v", c.NotBeforeSkew)
	}
}
