package local

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// es256 signs with the standard library, so that the code under test does not check itself.
func es256(t testing.TB, key *ecdsa.PrivateKey, header, payload string) string {
	t.Helper()
	b := base64.RawURLEncoding.EncodeToString
	input := b([]byte(header)) + "." + b([]byte(payload))
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

func keyPair(t testing.TB) (*ecdsa.PrivateKey, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b := base64.RawURLEncoding.EncodeToString
	return key, fmt.Sprintf(`{"kty":"EC","crv":"P-256","kid":"k","x":%q,"y":%q}`, b(raw[1:33]), b(raw[33:]))
}

const api = "https://api.example"

// FuzzLocalValidation holds that whatever is called active was signed with the issuer's key as it stands, names the
// issuer and this API, is not over, and says that it is no other kind of token.
func FuzzLocalValidation(f *testing.F) {
	const issuer = "https://as.example"
	const good = `{"iss":"https://as.example","aud":"https://api.example","sub":"a","client_id":"c","jti":"j","iat":1,"exp":9999999999,"scope":"x"}`
	key, public := keyPair(f)
	foreign, _ := keyPair(f)
	keys, err := jose.StaticKeys([]byte(`{"keys":[` + public + `]}`))
	if err != nil {
		f.Fatal(err)
	}
	d := dialect.Config{Audience: []string{api}}
	cfg := Config{Types: []string{"at+jwt", "JWT", ""}, Algorithms: []string{"ES256"},
		OptionalClaims: []string{"client_id", "jti"}}
	v := newValidator(cfg, Deps{
		Endpoint: oauth.Config{Issuer: issuer, Timeout: time.Second}, Dialect: d, Reader: dialect.New(d,
			issuer), Keys: keys,
	})
	for _, header := range []string{`{"alg":"ES256","typ":"at+jwt","kid":"k"}`, `{"alg":"ES256"}`, `{"alg":"none"}`,
		`{"alg":"ES256","typ":"token-introspection+jwt"}`} {
		for _, payload := range []string{
			good, strings.Replace(good, "api", "ipa", 1), strings.Replace(good, "9999999999", "2",
				1), strings.Replace(good, `"sub"`, `"iss"`, 1),
			strings.Replace(good, `"https://api.example"`, `["x","https://api.example"]`, 1), strings.Replace(good,
				`"scope"`, `"token_introspection"`, 1), strings.Replace(good, `"x"`, `"x","token_introspection":{}`,
				1), `{}`, `[]`, "",
		} {
			for how := range uint8(4) {
				f.Add(header, payload, how)
			}
		}
	}
	f.Fuzz(func(t *testing.T, header, payload string, how uint8) {
		tok := es256(t, key, header, payload)
		switch how % 4 {
		case 1:
			tok = es256(t, foreign, header, payload)
		case 2:
			tok = tok[:strings.LastIndexByte(tok, '.')+1]
		case 3:
			tok = header + "." + payload
		}
		fact, err := v.validate(t.Context(), secret.New(tok))
		if err != nil {
			t.Fatalf("an error about a token: %v", err)
		}
		if !fact.Claims.Active {
			if fact.Claims.Raw != nil || fact.Claims.Inactive.Text == "" {
				t.Error("an inactive token has facts, or no reason")
			}
			return
		}
		var m map[string]any
		if err := json.Unmarshal([]byte(payload), &m); err != nil {
			t.Fatalf("active without claims: %v", err)
		}
		aud, _ := m["aud"].([]any)
		exp, _ := m["exp"].(float64)
		switch response := m["token_introspection"] != nil; {
		case how%4 != 0:
			t.Error("active without the issuer's signature")
		case m["iss"] != issuer:
			t.Errorf("active with iss %v", m["iss"])
		case m["aud"] != api && !slices.Contains(aud, any(api)):
			t.Errorf("active with aud %v", m["aud"])
		case exp <= float64(time.Now().Unix()):
			t.Errorf("active with exp %v", m["exp"])
		case response:
			t.Error("an introspection response is active")
		}
	})
}
