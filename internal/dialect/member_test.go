package dialect

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

func TestTimesAreSecondsHoweverTheyAreWritten(t *testing.T) {
	for value, want := range map[string][2]authz.Time{ // exp and iat, nbf
		"3000": {3000, 3000}, "3000.0": {3000, 3000}, "3e3": {3000, 3000}, "3000.403285": {3000, 3001},
		"1.688E9": {1688000000, 1688000000}, "30005e-1": {3000, 3001},
		"-5": {-5, -5}, "-5.5": {-6, -5}, "253402300799": {253402300799, 253402300799},
		"-1e300": {-253402300799, -253402300799}, "1795354082.9999999999999999999": {1795354082, 1795354083},
	} {
		c := normalised(t, in("rfc7662"), active(fmt.Sprintf(`"exp":%[1]s,"iat":%[1]s,"auth_time":%[1]s,"nbf":%[1]s`,
			value)))
		if c.ExpiresAt != want[0] || c.IssuedAt != want[0] || c.Auth.Time != want[0] || c.NotBefore != want[1] {
			t.Errorf("%s: exp %d, iat %d, auth_time %d, nbf %d", value, c.ExpiresAt, c.IssuedAt, c.Auth.Time,
				c.NotBefore)
		}
	}
}

// TestATimeThatCannotBeReadIsNamedWhereItBounds: exp and nbf end or begin a token; iat and auth_time do neither.
func TestATimeThatCannotBeReadIsNamedWhereItBounds(t *testing.T) {
	n := New(in("rfc7662"), "")
	for _, value := range []string{
		`"3000"`, `1e400`, `1e300`, `99999999999999999999`, `253402300800`, `1795354082000`, `1e999999999999`, `true`,
		`[]`, `{}`, `"2026-11-22T12:52:35Z"`, `"never"`,
	} {
		for _, name := range []string{"exp", "nbf", "iat", "auth_time"} {
			bounds := name == "exp" || name == "nbf" || value == "1e999999999999" // which no policy can read
			f, err := n.Read([]byte(active(fmt.Sprintf("%q:%s", name, value))), secret.Text{}, time.Now())
			switch {
			case bounds && (err == nil || f.Claims != nil || !strings.Contains(err.Error(), name)):
				t.Errorf("%s %s: %v, %v", name, value, f.Claims, err)
			case !bounds && (err != nil || f.Claims.IssuedAt != 0 || f.Claims.Auth.Time != 0):
				t.Errorf("%s %s: %v, %v", name, value, f.Claims, err)
			}
		}
	}
}

// TestANumberThatNoPolicyCanReadIsNamed: whatever the member, and deep inside one, it is the issuer's fault, and is
// told before a policy fails over it.
func TestANumberThatNoPolicyCanReadIsNamed(t *testing.T) {
	n := New(in("rfc7662"), "")
	for claims, at := range map[string]string{`"limit":1e999999999`: "/limit", `"x":{"y":[0,-1E-99999]}`: "/x/y/1",
		`"authorization_details":[{"n":9e10001}]`: "/authorization_details/0/n"} {
		want := fmt.Sprintf("member %q is a number with an exponent, or a count of digits, over 10000", at)
		_, answer := n.Read([]byte(active(claims)), secret.Text{}, time.Now())
		_, jwt := n.ReadJWT(jsontext.Value(`{"exp":4000000000,`+claims+`}`), secret.Text{}, time.Now())
		if answer == nil || answer.Error() != want || jwt == nil || jwt.Error() != want {
			t.Errorf("%s: %v; %v", claims, answer, jwt)
		}
		if f, err := n.Read([]byte(`{"active":false,`+claims+`}`), secret.Text{}, time.Now()); err != nil ||
			f.Keep != Inactive {
			t.Errorf("%s of an inactive token: %v", claims, err)
		}
	}
}

func TestNullIsAbsentInEveryMember(t *testing.T) {
	names := []string{
		"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "client_id", "username", "scope", "acr", "amr",
		"auth_time", "auth_level", "act", "cnf",
		"token_type", "typ", "roles", "groups", "permissions", "authorization_details", "tenant",
	}
	var said []string
	for _, n := range names {
		said = append(said, fmt.Sprintf("%q:null", n))
	}
	got, want := normalised(t, Config{Tenant: []string{"/tenant"}}, active(strings.Join(said, ","))), normalised(t,
		in("rfc7662"), active(""))
	got.Raw, want.Raw, got.Fetched, want.Fetched = nil, nil, time.Time{}, time.Time{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("with null %+v\nwithout %+v", got, want)
	}
	c := normalised(t, in("rfc7662"), active(`"cnf":{"jkt":null,"x5t#S256":"b"}`)).Confirmation
	if c != (authz.Confirmation{X5T: "b"}) {
		t.Errorf("jkt null: %+v", c)
	}
}

func TestAnExpThatMeansNeverIsNone(t *testing.T) {
	for _, exp := range []string{"9223372036854775807", "9223372036854775", "9223372036854776000",
		"9.223372036854775807E18", "9.223372036854776E18", "9223372036854775807.0", "9223372036854775.807",
		"9.223372036854776E15", "null"} {
		if c := normalised(t, in("wso2"), active(`"exp":`+exp)); c.ExpiresAt != 0 || !c.Usable(time.Now()).OK() {
			t.Errorf("%s: %d", exp, c.ExpiresAt)
		}
		f, err := New(in("wso2"), "https://as").ReadJWT([]byte(`{"iss":"https://as","exp":`+exp+`}`), secret.Text{},
			time.Now())
		if err != nil || f.Claims.Active || f.Claims.Inactive.Text != "never expires" {
			t.Errorf("a JWT, %s: %+v, %v", exp, f.Claims, err)
		}
	}
}

// TestAnIdentityIsReadOrNamed: what says who a subject is, or what a token is for, is never left out for its type.
func TestAnIdentityIsReadOrNamed(t *testing.T) {
	c := normalised(t, Config{Tenant: []string{"/tenant"}},
		active(
			`"sub":42,"client_id":1234,"username":7,"jti":12345678901234567890,"sid":-1,"tenant":5,"act":{"sub":8},"aud":[9],"groups":[3,"g"],"acr":2`))
	if c.Subject.ID != "42" || c.ClientID != "1234" || c.Subject.Username != "7" || c.ID != "12345678901234567890" ||
		c.SessionID != "-1" || c.Tenant != "5" ||
		*c.Actor != (authz.Actor{Subject: "8"}) || !slices.Equal(c.Audiences, []string{"9"}) ||
		!slices.Equal(c.Groups, []string{"3", "g"}) || c.Auth.ACR != "2" {
		t.Errorf("%+v, actor %+v", c, c.Actor)
	}
	for _, name := range []string{"sub", "client_id", "username", "jti", "sid", "tenant", "act"} {
		for _, value := range []string{`true`, `4.2`, `42.0`, `1e3`, `["u"]`, `{"a":"u"}`, `"Ann \ud83d"`,
			`"\udc00"`} {
			if name == "act" && value[0] == '{' {
				value = `{"sub":["u"]}`
			}
			for _, read := range []func(*Reader, string) (Fact, error){
				func(n *Reader, member string) (Fact, error) {
					return n.Read([]byte(active(member)), secret.Text{}, time.Now())
				},
				func(n *Reader, member string) (Fact, error) {
					return n.ReadJWT([]byte(`{"iss":"https://as","exp":1000,`+member+`}`), secret.Text{},
						time.Unix(900, 0))
				},
			} {
				_, err := read(New(Config{Tenant: []string{"/tenant"}}, "https://as"),
					fmt.Sprintf("%q:%s", name, value))
				if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "Ann") {
					t.Errorf("%s %s: %v", name, value, err)
				}
			}
		}
	}
}

// TestHalfACharacterWhereItDecidesNothing: a display name that was cut inside an emoji is shown with a replacement
// character.
func TestHalfACharacterWhereItDecidesNothing(t *testing.T) {
	c := normalised(t, in("keycloak"), active(`"sub":"u","name":"Ann \ud83d","x":{"y\ud83d":["\udc00\ud83d\ude00"]}`))
	if want :=
		"{\"active\":true,\"sub\":\"u\",\"name\":\"Ann \ufffd\",\"x\":{\"y\ufffd\":[\"\ufffd\U0001f600\"]}}"; string(
		c.Raw) != want || c.Subject.ID != "u" {
		t.Errorf("%s", c.Raw)
	}
	for _, member := range []string{
		`"scope":"a \ud83d"`, `"aud":["api\ud83d"]`, `"roles":["a\ud83d"]`, `"groups":"\ud83d"`,
		`"permissions":["\ud83d"]`, `"realm_access":{"roles":["\ud83d"]}`,
		`"resource_access":{"web\ud83d":{"roles":["r"]}}`, `"resource_access":{"web":{"roles":["r\ud83d"]}}`,
	} {
		for _, name := range []string{"keycloak", "rfc7662"} {
			f, err := New(in(name), "").Read([]byte(active(member)), secret.Text{}, time.Now())
			unread := name == "keycloak" && strings.Contains(member, `"roles":["a`) || name == "rfc7662" &&
				strings.Contains(member, "_access")
			if (err == nil) != unread {
				t.Errorf("%s %s: %+v, %v", name, member, f.Claims, err)
			}
		}
	}
	if _, err := New(in("rfc7662"), "").Read([]byte(active("\"name\":\"Ren\xe9\"")), secret.Text{},
		time.Now()); err == nil {
		t.Error("an answer in Latin-1 is read")
	}
}

// TestWhatATokenIsForIsNeverUnseen: of another type it might hide a refresh token.
func TestWhatATokenIsForIsNeverUnseen(t *testing.T) {
	for _, name := range []string{"token_type", "typ", "token_use", "token_usage"} {
		for _, value := range []string{`["refresh_token"]`, `{"a":1}`, `5`, `true`, `"Bearer\ud83d"`} {
			f, err := New(in("rfc7662"), "").Read([]byte(active(fmt.Sprintf("%q:%s", name, value))), secret.Text{},
				time.Now())
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s %s: %+v, %v", name, value, f.Claims, err)
			}
		}
	}
}

// TestAnIssuerThatCannotBeReadIsNone: also where no issuer is configured, and so none is compared.
func TestAnIssuerThatCannotBeReadIsNone(t *testing.T) {
	for _, iss := range []string{`["https://as","https://as"]`, `7`, `{}`, `"https://as\ud83d"`} {
		for _, issuer := range []string{"", "https://as"} {
			f, err := New(in("rfc7662"), issuer).Read([]byte(active(`"iss":`+iss)), secret.Text{}, time.Now())
			if err != nil || f.Claims.Active || f.Keep != DoNotCache {
				t.Errorf("%s, configured %q: %+v, %v", iss, issuer, f.Claims, err)
			}
		}
	}
}

func TestAByteOrderMarkIsIgnored(t *testing.T) {
	if c := normalised(t, in("rfc7662"), "\ufeff"+active(`"sub":"u"`)); c.Subject.ID != "u" || c.Raw[0] != '{' {
		t.Errorf("%+v", c)
	}
}

func TestAnAnswerWithoutABooleanActiveIsNone(t *testing.T) {
	for _, name := range names() {
		for _, body := range []string{
			`{}`, `{"error":"server_error"}`, `{"status":"maintenance"}`, `{"active":"true","exp":1}`, `{"active":1}`,
			`{"active":null,"sub":"u"}`, `{"active":[true]}`, `{"active":{}}`,
			`{"Active":true}`, `[]`, `[{"active":true}]`, `null`, `true`, `""`, ``,
		} {
			f, err := New(in(name), "").Read([]byte(body), secret.Text{}, time.Now())
			if err == nil || f.Claims != nil {
				t.Errorf("%s %s: %+v", name, body, f.Claims)
			}
		}
	}
}

func TestAnExpOfZeroIsNotNoExp(t *testing.T) {
	n := New(in("keycloak"), "")
	if _, err := n.Read([]byte(active(`"exp":0`)), secret.Text{}, time.Now()); err == nil {
		t.Error("taken")
	}
}

func TestAnAuthTimeThatIsNoNumberIsNoFact(t *testing.T) {
	a := normalised(t, in("rfc7662"),
		active(`"auth_time":"2026-11-22T12:52:35.923Z","acr":1,"amr":"pwd","auth_level":"0"`)).Auth
	if a.Time != 0 || a.ACR != "1" || !slices.Equal(a.AMR, []string{"pwd"}) || a.HasLevel {
		t.Errorf("%+v", a)
	}
}

func TestAnAuthLevelOfZeroIsALevel(t *testing.T) {
	if a := normalised(t, in("rfc7662"), active(`"auth_level":0`)).Auth; !a.HasLevel || a.Level != 0 {
		t.Errorf("%+v", a)
	}
}
