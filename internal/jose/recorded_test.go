package jose_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

type recording struct {
	From      string
	JWKS      json.RawMessage
	Good, Bad map[string]string
	Encrypted string
	Private   json.RawMessage `json:"private_jwk_of_a_test"`
}

func recordings(t testing.TB) map[string]recording {
	t.Helper()
	raw, err := os.ReadFile("testdata/recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]recording
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// anything allows all that the package can verify with public keys, and the algorithms of secrets, which a server's
// key set never holds.
var anything = jose.Expect{
	Types: []string{"", "JWT", "at+jwt", "logout+jwt", "secevent+jwt", "token-introspection+jwt", "dpop+jwt"},
	Algorithms: []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "HS256",
		"HS384", "HS512", "none", "XX1",
	},
}

func TestRecordedTokensVerifyWithTheKeysOfTheirServerAndNoOther(t *testing.T) {
	all := recordings(t)
	for server, r := range all {
		for name, tok := range r.Good {
			for other, o := range all {
				keys, err := jose.StaticKeys(o.JWKS)
				if err != nil {
					t.Fatal(err)
				}
				_, err = jose.Verify(t.Context(), tok, anything, keys)
				if (err == nil) != (other == server) {
					t.Errorf("%s of %s with the keys of %s: %v", name, server, other, err)
				}
			}
			if iss, ok := jose.Issuer(tok); !ok && name != "push of a not-before" {
				t.Errorf("%s of %s: issuer %q", name, server, iss)
			}
		}
	}
}

func TestRecordedAttacksDoNotVerify(t *testing.T) {
	n := 0
	for server, r := range recordings(t) {
		keys, err := jose.StaticKeys(r.JWKS)
		if err != nil {
			t.Fatal(err)
		}
		for name, tok := range r.Bad {
			n++
			if _, err := jose.Verify(t.Context(), tok, anything, keys); err == nil {
				t.Errorf("%s of %s verifies", name, server)
			}
		}
	}
	if n != 9 {
		t.Errorf("%d recordings", n)
	}
}

func TestJWI5_ARecordedEncryptedResponseOpensAndVerifies(t *testing.T) {
	r := recordings(t)["node-oidc-provider"]
	d, err := jose.NewDecrypter(kept(t, secret.New(string(r.Private))), []string{"ECDH-ES"}, []string{"A128GCM"})
	if err != nil {
		t.Fatal(err)
	}
	inner, err := d.Decrypt(r.Encrypted)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := jose.StaticKeys(r.JWKS)
	if err != nil {
		t.Fatal(err)
	}
	e := jose.Expect{Types: []string{"token-introspection+jwt"}, Algorithms: []string{"ES256"}}
	if _, err := jose.Verify(t.Context(), inner, e, keys); err != nil {
		t.Error(err)
	}
	if _, err := jose.Verify(t.Context(), r.Encrypted, anything, keys); err == nil {
		t.Error("the outside passes for the inside")
	}
}
