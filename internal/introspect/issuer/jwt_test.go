package issuer

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/jwks"
)

// refused checks that tokens are inactive, for the reasons given, and that the server was not asked about them.
func refused(t *testing.T, k *keyed, i *Issuer, tokens map[string]secret.Text) {
	t.Helper()
	for why, tok := range tokens {
		c := look(t, i, tok)
		if want, _, _ := strings.Cut(why, "#"); c.Active || !strings.HasPrefix(c.Inactive.Text, want) {
			t.Errorf("%s: active %t, %q", why, c.Active, c.Inactive.Text)
		}
		if c.Raw != nil || c.Subject.ID != "" || c.Scopes != nil {
			t.Errorf("%s: it has facts", why)
		}
		if strings.Contains(fmt.Sprintf("%+v", c), tok.Reveal()) {
			t.Errorf("%s: the token is told", why)
		}
	}
	if n := k.asked.Load(); n != 0 {
		t.Errorf("%d questions about tokens that are validated locally", n)
	}
}

func TestJAT3_AGoodTokenIsReadWithoutAQuestion(t *testing.T) {
	k := newKeyed(t)
	i, l := open(t, "", k.in(authz.ModeJWT))
	before := time.Now()
	c := look(t, i, k.token(t, change{"cnf": map[string]any{"jkt": "thumb"}, "sid": "s1"}))
	switch {
	case !c.Active, c.Source != authz.LocalJWT, c.Kind != authz.AccessToken, !c.Usable(time.Now()).OK():
		t.Errorf("active %t, source %q, kind %q: %s", c.Active, c.Source, c.Kind, c.Inactive.Text)
	case c.Issuer != k.URL, c.Subject.ID != "alice", c.ClientID != "web", c.ID != "id-1", c.SessionID != "s1",
		c.Scopes[0] != "read", c.Audiences[0] != api:
		t.Errorf("facts %+v", c.Subject)
	case c.Confirmation.JKT != "thumb":
		t.Error("the binding is lost")
	case c.Fetched.Before(before), c.Raw == nil, c.ExpiresAt == 0, c.IssuedAt == 0:
		t.Error("times or claims are missing")
	}
	if k.asked.Load() != 0 || len(l.all(t, metricAsked)) != 0 {
		t.Error("the server was asked")
	}
	look(t, i, k.token(t, nil))
	if n := k.fetched.Load(); n != 1 {
		t.Errorf("%d fetches of keys", n)
	}
}

func TestJAT1_TypMustBeThatOfAnAccessToken(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT))
	for _, typ := range []string{"at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"} {
		if c := look(t, i, sign(t, k.signer, typ, k.claims(change{"jti": typ}))); !c.Active {
			t.Errorf("%s: %s", typ, c.Inactive.Text)
		}
	}
	const why = "has a typ that is not expected here"
	refused(t, k, i, map[string]secret.Text{
		why + "#none": sign(t, k.signer, "", k.claims(nil)), why + "#JWT": sign(t, k.signer, "JWT", k.claims(nil)),
		why + "#logout": sign(t, k.signer, "logout+jwt", k.claims(nil)), why +
			"#dpop": sign(t, k.signer, "dpop+jwt", k.claims(nil)),
	})
}

func TestJAT1_TheConfigurationMayAllowOtherTypes(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT, func(c *Config) { c.JWT.Types = []string{"", "JWT"} }))
	for _, typ := range []string{"", "jwt", "application/jwt"} {
		if c := look(t, i, sign(t, k.signer, typ, k.claims(change{"jti": typ + "x"}))); !c.Active {
			t.Errorf("%q: %s", typ, c.Inactive.Text)
		}
	}
	refused(t, k, i, map[string]secret.Text{"has a typ that is not expected here": k.token(t, nil)})
}

func TestJAT2_AnEncryptedTokenIsRefusedInWordsThatSaySo(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT))
	b := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	refused(t, k, i, map[string]secret.Text{
		"is encrypted, which is not read here": secret.New(b(`{"alg":"dir","enc":"A128GCM","typ":"at+jwt"}`) + "." +
			b("k") + "." + b("iv") + "." + b("c") + "." + b("t")),
		"is no JWT that could be verified":   secret.New("7Fjfp0ZBr1KtDRbnfVdmIw"),
		"is no JWT that could be verified#2": secret.New("a.b.c"),
	})
}

func TestJAT3_IssuerAudienceAndTimesMustBeRight(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT))
	now := time.Now().Unix()
	const iss, aud = "was issued by another issuer than the configured one", "is for another audience"
	const unread = "has claims that cannot be read: "
	refused(t, k, i, map[string]secret.Text{
		iss + "#slash": k.token(t, change{"iss": k.URL + "/"}),
		iss + "#name of localhost": k.token(t,
			change{"iss": strings.Replace(k.URL, "127.0.0.1", "localhost", 1)}),
		"has no iss":                          k.token(t, change{"iss": nil}),
		"has no iss#empty":                    k.token(t, change{"iss": ""}),
		unread + `member "iss" is not a text`: k.token(t, change{"iss": []string{k.URL}}),
		aud:                                   k.token(t, change{"aud": "https://api.example/"}),
		aud + "#list":                         k.token(t, change{"aud": []string{"a", "b"}}),
		aud + "#empty list":                   k.token(t, change{"aud": []string{}}),
		unread + `member "aud" is not a text#mixed`: k.token(t, change{"aud": []any{api, true}}),
		unread + `member "aud" is not a text`: k.token(t,
			change{"aud": map[string]any{api: api}}),
		iss + `: it names "` + k.URL + `/", configured is "` + k.URL + `"`: k.token(t, change{"iss": k.URL + "/"}),
		aud + `: it names "a", "b", configured is "other", "` + api +
			`"`: k.token(t, change{"aud": []string{"a", "b"}}),
		"names no audience":          k.token(t, change{"aud": nil}),
		"has expired":                k.token(t, change{"exp": now - 1}),
		"has expired#long ago":       k.token(t, change{"exp": 1}),
		unread + `member "exp" is 0`: k.token(t, change{"exp": 0}),
		unread + `member "exp" is a time after the year 9999: milliseconds, perhaps, where seconds are due`: k.token(t,
			change{"exp": now * 1000000}),
		"has no exp":      k.token(t, change{"exp": nil}),
		"has no exp#null": k.token(t, change{"exp": (*int)(nil)}),
		unread + `member "exp" is not a time in seconds since 1970`: k.token(t, change{"exp": fmt.Sprint(now + 600)}),
		"was issued in the future: the clocks differ":               k.token(t, change{"iat": now + 60}),
		"is not valid yet": k.token(t, change{"nbf": now + 60}),
		unread + `member "nbf" is not a time in seconds since 1970`: k.token(t, change{"nbf": "soon"}),
	})
	for name, c := range map[string]change{"list": {"aud": []string{"x", api}},
		"a clock a little ahead": {"iat": now + 5},
		"fractions": {"iat": float64(now) - 10.403285, "nbf": float64(now) - 10.5,
			"exp": float64(now) + 300.25}, "exponents": {"iat": jsontext.Value("1.688E9")},
		"null": {"nbf": (*int)(nil), "nonce": (*string)(nil), "events": (*string)(nil)}, "numbers": {"sub": 42,
			"jti": 7, "client_id": 1234, "aud": []any{1, api}},
	} {
		if got := look(t, i, k.token(t, c)); !got.Active {
			t.Errorf("%s: %s", name, got.Inactive.Text)
		}
	}
}

func TestJAT3_AnAbsentAudienceIsAcceptedOnlyWhereConfigured(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT, func(c *Config) { c.Dialect.AbsentAudience = "accept" }))
	if c := look(t, i, k.token(t, change{"aud": nil})); !c.Active {
		t.Error(c.Inactive.Text)
	}
	refused(t, k, i, map[string]secret.Text{"is for another audience": k.token(t, change{"aud": "x"})})
}

func TestJAT3_LeewayCoversExpAndNoMore(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT, func(c *Config) { c.JWT.Leeway = 30 * time.Second }))
	now := time.Now()
	c := look(t, i, k.token(t, change{"exp": now.Unix() - 5, "iat": now.Unix() + 20}))
	if !c.Active || !c.Usable(now).OK() {
		t.Errorf("within: %s%s", c.Inactive.Text, c.Usable(now))
	}
	if c.Usable(now.Add(26*time.Second)).Text != "has expired" {
		t.Error("usable past the leeway")
	}
	if c := look(t, i, k.token(t, change{"exp": now.Unix() - 31})); c.Active {
		t.Error("past the leeway")
	}
}

func TestJAT4_EveryRequiredClaimMustBeThere(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT))
	optional, _ := open(t, "", k.in(authz.ModeJWT,
		func(c *Config) { c.JWT.OptionalClaims = []string{"sub", "client_id", "jti", "iat"} }))
	for _, name := range []string{"sub", "client_id", "jti", "iat"} {
		why, unread := "has no "+name, fmt.Sprintf("has claims that cannot be read: member %q is not a text", name)
		if name == "iat" {
			unread = `has claims that cannot be read: member "iat" is not a time in seconds since 1970`
		}
		refused(t, k, i, map[string]secret.Text{why: k.token(t, change{name: nil}),
			unread: k.token(t, change{name: map[string]any{}})})
		if name != "iat" {
			refused(t, k, i, map[string]secret.Text{why: k.token(t, change{name: ""})})
		}
		if c := look(t, optional, k.token(t, change{name: nil})); !c.Active {
			t.Errorf("%s is optional: %s", name, c.Inactive.Text)
		}
		if name == "iat" { // it bounds nothing: as good as none
			if c := look(t, optional, k.token(t, change{name: "yesterday"})); !c.Active || c.IssuedAt != 0 {
				t.Errorf("iat: %s", c.Inactive.Text)
			}
			continue
		}
		refused(t, k, optional, map[string]secret.Text{unread: k.token(t, change{name: []string{"x"}})})
	}
}

func TestJAT5_NoFailureOfATokenIsAnError(t *testing.T) {
	t.Parallel()
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT))
	told := 0
	good := k.token(t, change{"iat": time.Now().Add(-time.Minute).Unix()}).Reveal()
	for n := range len(good) {
		tok := good[:n] + string(good[n]^1) + good[n+1:]
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c, err := i.Introspect(ctx, introspect.Question{Token: secret.New(tok)})
		if authz.KindOf(err) == authz.Unavailable &&
			err != nil { // it names an unknown key, or claims to be issued just now
			if told++; told > len(good)/10 {
				t.Fatalf("byte %d: %v", n, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("byte %d: %v", n, err)
		}
		if c.Active {
			t.Errorf("byte %d: active", n)
		}
	}
}

func TestJAT6_AClientThatIsItsOwnSubjectIsNoPerson(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT))
	if c := look(t, i, k.token(t, change{"sub": "web"})); c.Subject.Type != authz.Client {
		t.Errorf("type %q", c.Subject.Type)
	}
}

func TestBCP1_OnlyListedAlgorithmsPass(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT, func(c *Config) { c.JWT.Algorithms = []string{"RS256"} }))
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`))
	parts := strings.Split(k.token(t, nil).Reveal(), ".")
	refused(t, k, i, map[string]secret.Text{
		"has an alg or enc that is not allowed":      k.token(t, nil),
		"has an alg or enc that is not allowed#none": secret.New(none + "." + parts[1] + "."),
	})
}

func TestBCP2_ASignedTokenInsideAnEncryptedOneIsNotFound(t *testing.T) {
	// JWS and JWE are told apart by the header and the parts together: see package jose. Here neither way round
	// passes.
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT))
	tok := k.token(t, nil).Reveal()
	refused(t, k, i, map[string]secret.Text{"is no JWT that could be verified": secret.New(tok + ".x.y")})
}

func TestBCP3_KeysOfAnotherIssuerDoNotCount(t *testing.T) {
	k, other := newKeyed(t), newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT))
	refused(t, k, i, map[string]secret.Text{
		"has a signature that does not verify": sign(t, other.signer, "at+jwt", k.claims(nil)),
		"names no key that is known and fits": sign(t, jwks.NewSigner(t, "k2"), "at+jwt",
			k.claims(nil)),
		"was issued by another issuer than the configured one": sign(t, k.signer, "at+jwt", other.claims(nil)),
	})
	if other.fetched.Load() != 0 {
		t.Error("keys of the issuer that the token names were fetched")
	}
}

func TestBCP4_KeysAreNotFetchedFromWhereATokenSays(t *testing.T) {
	k := newKeyed(t)
	trap := serve(t, testkit.ReplyJSON(`{}`))
	i, _ := open(t, "", k.in(authz.ModeJWT))
	for _, member := range []string{"jku", "x5u"} {
		header := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil,
			`{"alg":"ES256","typ":"at+jwt","kid":"x","%s":%q}`, member, trap.URL))
		parts := strings.Split(k.token(t, nil).Reveal(), ".")
		if c := look(t, i, secret.New(header+"."+parts[1]+"."+parts[2])); c.Active {
			t.Errorf("%s: active", member)
		}
	}
	if trap.calls.Load() != 0 {
		t.Error("the address in the token was fetched")
	}
}

func TestBCP5_JWI9_Trap18_OtherKindsOfJWTNeverPass(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT, func(c *Config) {
		c.JWT.Types, c.JWT.OptionalClaims = []string{"", "JWT", "at+jwt"}, []string{"sub", "client_id", "jti", "iat"}
	}))
	inner := map[string]any{"active": true, "sub": "alice", "aud": api}
	idToken := change{"client_id": nil, "scope": nil, "azp": "web"}
	refused(t, k, i, map[string]secret.Text{
		"has a typ that is not expected here": sign(t, k.signer, "token-introspection+jwt",
			k.claims(change{"token_introspection": inner})),
		"is an introspection response":        sign(t, k.signer, "", k.claims(change{"token_introspection": inner})),
		"is an introspection response#at+jwt": k.token(t, change{"token_introspection": inner}),
		"is a security event or a logout token": sign(t, k.signer, "JWT",
			k.claims(change{"events": map[string]any{}})),
		"is a DPoP proof": sign(t, k.signer, "JWT",
			k.claims(change{"htm": "GET", "htu": "https://x"})),
		"is an ID token":                     sign(t, k.signer, "JWT", k.claims(change{"nonce": "n"})),
		"is an ID token#at_hash":             sign(t, k.signer, "", k.claims(change{"at_hash": "h"})),
		"has nothing that an ID token lacks": sign(t, k.signer, "", k.claims(idToken)),
		"is an ID token#by its use":          sign(t, k.signer, "JWT", k.claims(change{"token_use": "id"})),
		"is a refresh token":                 sign(t, k.signer, "at+jwt", k.claims(change{"token_use": "refresh"})),
	})
}

func TestBCP6_TokensOverTheLimitAreNotLookedAt(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT))
	c := look(t, i, k.token(t, change{"x": strings.Repeat("a", introspect.MaxTokenBytes)}))
	if c.Active || !strings.HasPrefix(c.Inactive.Text, "is longer than") || k.fetched.Load() != 0 {
		t.Errorf("active %t: %q", c.Active, c.Inactive.Text)
	}
}

func TestBCP6_EdDSAHasTwoNames(t *testing.T) {
	k := newKeyed(t)
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, alg := range []string{"EdDSA", "Ed25519"} {
		s := jwks.SignerOf(t, key, alg, "k1")
		k.holds(string(s.Public()))
		i, _ := open(t, "", k.in(authz.ModeJWT, func(c *Config) { c.JWT.Algorithms = []string{"EdDSA"} }))
		if c := look(t, i, sign(t, s, "at+jwt", k.claims(nil))); !c.Active {
			t.Errorf("%s: %s", alg, c.Inactive.Text)
		}
	}
}

func TestBCP7_UnknownCritAndDuplicateMembersAreRefused(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT))
	parts := strings.Split(k.token(t, nil).Reveal(), ".")
	b := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for name, tok := range map[string]string{
		"crit": b(`{"alg":"ES256","typ":"at+jwt","kid":"k1","crit":["x"],"x":1}`) + "." + parts[1] +
			"." + parts[2],
		"two alg": b(`{"alg":"ES256","alg":"ES256","typ":"at+jwt","kid":"k1"}`) + "." + parts[1] +
			"." + parts[2],
		"two iss, signature bad": parts[0] + "." + b(`{"iss":"a","iss":"b"}`) + "." + parts[2],
	} {
		if c := look(t, i, secret.New(tok)); c.Active {
			t.Errorf("%s: active", name)
		}
	}
}

func TestJWTRefusalsOfWhatTheIssuerSignedAreKept(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT))
	now := time.Now().Unix()
	for _, c := range []change{{"aud": "x"}, {"iss": "y"}, {"sub": nil}, {"exp": 1}} {
		look(t, i, k.token(t, c))
	}
	if n := i.Stats().Inactive.Entries; n != 4 {
		t.Errorf("%d are kept", n)
	}
	look(t, i, k.token(t, change{"nbf": now + 60}))
	look(t, i, k.token(t, change{"iat": now + 60}))
	if s := i.Stats(); s.Inactive.Entries != 4 || s.Active.Entries != 0 {
		t.Errorf("%+v: a refusal that passes by itself is kept", s)
	}
}

func TestJWTNeedsNeitherCredentialsNorAnIntrospectionEndpoint(t *testing.T) {
	k := newKeyed(t)
	mux := http.NewServeMux()
	as := serve(t, mux.ServeHTTP)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		testkit.ReplyJSON(fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, as.URL, as.URL+"/jwks"))(w, r)
	})
	mux.HandleFunc("/jwks", testkit.ReplyJSON(`{"keys":[`+string(k.signer.Public())+`]}`))
	i, _ := open(t, "", k.in(authz.ModeJWT, func(c *Config) {
		c.Endpoint.Issuer, c.Endpoint.Client.ID, c.Endpoint.Client.Secret = as.URL, "", secret.Source{}
	}))
	tok := k.token(t, change{"iss": as.URL})
	if c := look(t, i, tok); !c.Active {
		t.Error(c.Inactive.Text)
	}
	if err := noAnswer(t, i, tok, authz.ModeIntrospect, authz.Misconfigured); !strings.Contains(err.Error(),
		"introspection_endpoint") {
		t.Error(err)
	}
}
